import type { Attainment } from '../compare/attainment.js';

const PREFIX = 'slo/';

/** Attainment of each model and tier of a run, by its key among the run's measures. */
export function cellMeasures(all: readonly Attainment[]): Readonly<Record<string, number>> {
  return Object.fromEntries(all.map(({ modelId, tier, attainment }) => [`${PREFIX}${modelId}/${tier}`, attainment]));
}

/** Whether a measure is that of a model and tier. */
export const isCellKey = (key: string): boolean => key.startsWith(PREFIX);
