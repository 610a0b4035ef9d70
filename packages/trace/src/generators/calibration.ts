import type { Quantiles } from './quantile-sampler.js';

/**
 * Request rate by hour of the week over the week's mean, from Sunday 00:00 UTC: means of six
 * 10-minute bins of the Azure 2024 conversation trace (Azure/AzurePublicDataset,
 * AzureLLMInferenceTrace_conv 2024, CC-BY-4.0; 27.3 million requests, 2024-05-12 to 18). The first
 * and last bin of the source fall off at its edges; their hours are levelled with their neighbours
 * (0.541 → 0.553, 0.537 → 0.551).
 */
export const HOUR_OF_WEEK_SHAPE: readonly number[] = [
  0.553, 0.594, 0.565, 0.502, 0.476, 0.481, 0.501, 0.566, 0.567, 0.554, 0.551, 0.628, 0.632, 0.804, 0.754, 0.792, 0.731,
  0.762, 0.768, 0.712, 0.683, 0.677, 0.643, 0.767, 0.975, 1.099, 1.102, 0.911, 0.915, 0.994, 1.136, 1.201, 1.266, 1.187,
  1.163, 1.233, 1.322, 1.487, 1.657, 1.542, 1.357, 1.282, 1.257, 1.243, 1.175, 0.941, 0.919, 0.972, 1.078, 1.124, 1.157,
  0.949, 0.946, 1.006, 1.159, 1.297, 1.272, 1.247, 1.162, 1.278, 1.453, 1.535, 1.666, 1.537, 1.424, 1.337, 1.417, 1.311,
  1.176, 1.038, 0.906, 0.844, 0.998, 1.082, 1.031, 0.866, 0.898, 0.973, 1.113, 1.191, 1.22, 1.236, 1.124, 1.184, 1.353,
  1.465, 1.51, 1.435, 1.291, 1.237, 1.274, 1.206, 1.053, 0.812, 0.764, 0.848, 0.99, 1.145, 1.096, 0.929, 0.902, 0.993,
  1.216, 1.28, 1.388, 1.314, 1.052, 1.106, 1.255, 1.478, 1.519, 1.351, 1.254, 1.24, 1.227, 1.124, 1.006, 0.883, 0.777,
  0.87, 1.038, 1.099, 1.067, 0.889, 0.908, 1.01, 1.113, 1.222, 1.188, 1.193, 1.056, 1.067, 1.183, 1.288, 1.292, 1.223,
  1.125, 1.103, 0.974, 0.91, 0.861, 0.725, 0.601, 0.578, 0.585, 0.622, 0.643, 0.521, 0.528, 0.559, 0.564, 0.618, 0.653,
  0.567, 0.642, 0.692, 0.774, 0.77, 0.845, 0.859, 0.824, 0.759, 0.686, 0.657, 0.694, 0.638, 0.585, 0.551,
];

/** Prompt tokens of the same week: its published quantiles. */
export const AZURE_2024_PROMPT_TOKENS: Quantiles = [
  [0.01, 79],
  [0.05, 199],
  [0.1, 288],
  [0.15, 359],
  [0.2, 448],
  [0.25, 537],
  [0.3, 545],
  [0.35, 559],
  [0.4, 590],
  [0.45, 679],
  [0.5, 900],
  [0.55, 1332],
  [0.6, 1687],
  [0.65, 1902],
  [0.7, 2109],
  [0.75, 2339],
  [0.8, 2655],
  [0.85, 3040],
  [0.9, 3789],
  [0.95, 4890],
  [0.97, 5521],
  [0.99, 6589],
];

/**
 * Output tokens of the same week. The source is coarse under the 70th percentile and repeats
 * values; each run of equal values is kept once, at its middle.
 */
export const AZURE_2024_OUTPUT_TOKENS: Quantiles = [
  [0.055, 1],
  [0.175, 3],
  [0.25, 9],
  [0.325, 14],
  [0.4, 20],
  [0.45, 26],
  [0.525, 37],
  [0.625, 48],
  [0.7, 70],
  [0.75, 103],
  [0.8, 164],
  [0.85, 247],
  [0.9, 334],
  [0.95, 447],
  [0.97, 521],
  [0.99, 682],
];

/**
 * One client of a cell: its share of the cell's rate and the coefficient of variation of its gaps.
 */
export interface ClientShape {
  readonly share: number;
  readonly gapCv: number;
}

/**
 * Five clients that stand for a cell's many, from the per-client rates and gaps of two production
 * models over 14 days (alibaba/ServeGen, Apache-2.0; m-large and m-small pooled): shares of the
 * largest five, and the rate-weighted distribution of the gaps' CV (fitted laws, capped at each
 * model's 95th percentile) cut into groups of those sizes. Their long-run index of dispersion, Σ
 * share · CV², is 7.9, as measured.
 */
export const SERVEGEN_CLIENTS: readonly ClientShape[] = [
  { share: 0.38, gapCv: 1.03 },
  { share: 0.23, gapCv: 1.23 },
  { share: 0.15, gapCv: 1.77 },
  { share: 0.13, gapCv: 3.31 },
  { share: 0.11, gapCv: 6.91 },
];

/**
 * Mean-reverting noise of a cell's log rate around its daily shape, from the 10-minute totals of
 * the same two models: standard deviation and relaxation time.
 */
export const SERVEGEN_RATE_NOISE = { sigma: 0.2, relaxationHours: 1.5 } as const;
