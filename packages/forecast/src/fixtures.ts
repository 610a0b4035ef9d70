import { createRng, type DemandSeries, modelId, regionId } from '@sageserve/core';

export const STEP_MS = 600_000;
export const DAY = 144;

/** A series of prompt tokens, with a quarter as many output tokens unless given. */
export function demandOf(prompt: ArrayLike<number>, output?: ArrayLike<number>, name = 'model'): DemandSeries {
  const values = Float64Array.from(prompt);
  return {
    key: { modelId: modelId(name), regionId: regionId('region') },
    // A Monday.
    startMs: Date.UTC(2024, 4, 13),
    stepMs: STEP_MS,
    promptTokensPerS: values,
    outputTokensPerS: output === undefined ? values.map((x) => x / 4) : Float64Array.from(output),
    requestsPerS: values.map((x) => x / 1_000),
  };
}

/** A daily wave with noise that grows with it and follows itself a little. */
export function noisyDays(days: number, seed: number | string, noise = 0.05): Float64Array {
  const rng = createRng(seed);
  let drift = 0;
  return Float64Array.from({ length: days * DAY }, (_, t) => {
    drift = 0.8 * drift + noise * Math.sqrt(-2 * Math.log(1 - rng.next())) * Math.cos(2 * Math.PI * rng.next());
    return 1_000 * (1 + 0.6 * Math.sin((2 * Math.PI * t) / DAY)) * Math.exp(drift);
  });
}
