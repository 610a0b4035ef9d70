import { ConfigError } from '@sageserve/core';

/** Weights, and what they have seen. */
export interface State {
  readonly weights: readonly Float32Array[];
  /** No bucket that ends after this was seen. */
  readonly trainedUntilMs: number;
  readonly period: number;
  readonly stepMs: number;
  readonly series: ReadonlySet<string>;
  /** What it was trained on; 0 leaves the weights as they were drawn. */
  readonly windows: number;
}

const FORMAT = 'sageserve-neural/1';

/** The state that saw most; of equal ones the last, which knows more series. */
export function newestOf(states: readonly State[]): State | undefined {
  return states.reduce<State | undefined>(
    (a, b) => (a === undefined || b.trainedUntilMs >= a.trainedUntilMs ? b : a),
    undefined,
  );
}

/** A state as text, which {@link parseWeights} takes back. */
export function formatWeights(state: State, horizonSteps: number, units: number): string {
  return JSON.stringify({
    format: FORMAT,
    horizonSteps,
    units,
    stepMs: state.stepMs,
    trainedUntilMs: state.trainedUntilMs,
    period: state.period,
    series: [...state.series],
    weights: state.weights.map((w) => Buffer.from(w.buffer, w.byteOffset, w.byteLength).toString('base64')),
  });
}

/** Throws `ConfigError` for text that is none, or is of a network of another shape. */
export function parseWeights(text: string, horizonSteps: number, units: number): State {
  let saved: {
    format?: unknown;
    horizonSteps?: unknown;
    units?: unknown;
    stepMs: number;
    trainedUntilMs: number;
    period: number;
    series: string[];
    weights: string[];
  };
  try {
    saved = JSON.parse(text) as typeof saved;
  } catch (cause) {
    throw new ConfigError('weights', 'are not what save() gave', { cause });
  }
  if (saved.format !== FORMAT)
    throw new ConfigError('weights', `are of the format ${JSON.stringify(saved.format)}, not ${FORMAT}`);
  if (saved.horizonSteps !== horizonSteps || saved.units !== units)
    throw new ConfigError(
      'weights',
      `were saved with horizonSteps ${String(saved.horizonSteps)} and units ${String(saved.units)}, not ` +
        `${horizonSteps} and ${units}`,
    );
  return {
    weights: saved.weights.map((base64) => {
      const bytes = Buffer.from(base64, 'base64');
      return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
    }),
    trainedUntilMs: saved.trainedUntilMs,
    period: saved.period,
    stepMs: saved.stepMs,
    series: new Set(saved.series),
    windows: 1,
  };
}
