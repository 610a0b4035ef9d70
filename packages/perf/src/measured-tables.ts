/** Iteration times of one deployment, as medians of measurements, in milliseconds. */
export interface MeasuredTable {
  readonly model: string;
  readonly sku: string;
  readonly gpus: number;
  /** Prompt tokens in an iteration without decodes → its duration. */
  readonly prefill: { readonly tokens: readonly number[]; readonly ms: readonly number[] };
  /** Decoding requests → the part of the duration that does not depend on their context. */
  readonly decode: { readonly requests: readonly number[]; readonly ms: readonly number[] };
  readonly source: string;
}

const SPLITWISE = 'Mutinifni/splitwise-sim profile tables (MIT)';
const ARTIFACT = 'shashwatj07/SageServe profile tables (MIT)';
const SHORT = [128, 256, 512, 1024, 2048, 4096, 8192];
const TO_16K = [...SHORT, 16384];
const TO_32K = [...TO_16K, 32768];
const BATCH_32 = [1, 2, 4, 8, 16, 32];
const BATCH_64 = [...BATCH_32, 64];

/**
 * Derived from the measured tables of two public repositories. Prefill: median over repeats,
 * geometric mean over the shapes (prompt × batch) of equal token count. Decode: median time per
 * iteration less the time to read the context (KV bytes ÷ 80 % of the memory bandwidth). Where
 * noise made a curve fall, neighbours were pooled so that it does not. Left out: the power-capped
 * H100 (its rows are the H100's times 1.3), tensor parallel 2 at batch 64 (it ran out of memory),
 * prompts of 8,192 tokens in the small models' decode. The small models' decode beyond batch 1 is
 * corrected for prefills that their source counts in it.
 */
export const MEASURED_TABLES: readonly MeasuredTable[] = [
  {
    model: 'llama-2-70b',
    sku: 'a100-80gb',
    gpus: 2,
    prefill: { tokens: TO_16K, ms: [81.08, 112.9, 195.5, 396.3, 762.7, 1540, 3112, 6633] },
    decode: { requests: BATCH_32, ms: [56.49, 59.8, 60.29, 61.23, 64.53, 70.34] },
    source: SPLITWISE,
  },
  {
    model: 'llama-2-70b',
    sku: 'a100-80gb',
    gpus: 4,
    prefill: { tokens: TO_32K, ms: [63.65, 78.57, 127, 240.1, 480.1, 1091, 2567, 5132, 10950] },
    decode: { requests: BATCH_64, ms: [44.48, 44.94, 44.97, 45.57, 48.06, 51.42, 71.1] },
    source: SPLITWISE,
  },
  {
    model: 'llama-2-70b',
    sku: 'a100-80gb',
    gpus: 8,
    prefill: { tokens: TO_32K, ms: [65.35, 66.76, 93.02, 160.1, 283.1, 712.4, 1797, 3525, 7554] },
    decode: { requests: BATCH_64, ms: [44.77, 44.77, 45.73, 46.35, 50.21, 52.56, 70.69] },
    source: SPLITWISE,
  },
  {
    model: 'llama-2-70b',
    sku: 'h100-80gb',
    gpus: 2,
    prefill: { tokens: TO_16K, ms: [48.33, 51.85, 83.83, 156.9, 305, 624.1, 1264, 2398] },
    decode: { requests: BATCH_32, ms: [37.24, 37.32, 39.84, 40.12, 41.41, 51.17] },
    source: SPLITWISE,
  },
  {
    model: 'llama-2-70b',
    sku: 'h100-80gb',
    gpus: 4,
    prefill: { tokens: TO_32K, ms: [49.09, 50.98, 59.72, 104.6, 198, 452.7, 913.1, 1726, 3520] },
    decode: { requests: BATCH_64, ms: [29.41, 29.9, 29.9, 31.3, 32.56, 36.32, 51.23] },
    source: SPLITWISE,
  },
  {
    model: 'llama-2-70b',
    sku: 'h100-80gb',
    gpus: 8,
    prefill: { tokens: TO_32K, ms: [54.57, 54.57, 54.57, 77.4, 134.7, 380.8, 828.2, 1552, 2936] },
    decode: { requests: BATCH_64, ms: [30.45, 30.45, 31.75, 32.43, 34.03, 38.34, 49.6] },
    source: SPLITWISE,
  },
  {
    model: 'bloom-176b',
    sku: 'a100-80gb',
    gpus: 8,
    prefill: { tokens: TO_32K, ms: [79.67, 99.16, 174.4, 288, 534.5, 1335, 3551, 5782, 11250] },
    decode: { requests: BATCH_64, ms: [48.81, 49.64, 50.29, 51.53, 54.51, 59.71, 85.24] },
    source: SPLITWISE,
  },
  {
    model: 'bloom-176b',
    sku: 'h100-80gb',
    gpus: 8,
    prefill: { tokens: TO_32K, ms: [48.28, 51.18, 76.14, 131.9, 245.9, 656.1, 1420, 2522, 4996] },
    decode: { requests: BATCH_64, ms: [36, 36.69, 37.45, 37.45, 38.91, 42.39, 56.92] },
    source: SPLITWISE,
  },
  {
    model: 'llama-3.1-8b',
    sku: 'a100-80gb',
    gpus: 2,
    prefill: { tokens: SHORT, ms: [23.4, 23.4, 28.61, 54.39, 130.5, 234.2, 542.2] },
    decode: { requests: BATCH_32, ms: [8.534, 8.78, 8.913, 8.982, 9.302, 9.749] },
    source: ARTIFACT,
  },
  {
    model: 'llama-3.1-8b',
    sku: 'a100-80gb',
    gpus: 4,
    prefill: { tokens: SHORT, ms: [29.13, 29.13, 41.48, 77.69, 176.7, 309.1, 683.3] },
    decode: { requests: BATCH_32, ms: [7.145, 7.377, 7.645, 8.381, 9.815, 12.26] },
    source: ARTIFACT,
  },
  {
    model: 'llama-3.2-3b',
    sku: 'a100-80gb',
    gpus: 2,
    prefill: { tokens: SHORT, ms: [20.67, 20.67, 20.74, 36.91, 89.52, 144.2, 314.4] },
    decode: { requests: BATCH_32, ms: [5.42, 5.625, 5.687, 6.067, 6.106, 6.106] },
    source: ARTIFACT,
  },
  {
    model: 'llama-3.2-3b',
    sku: 'a100-80gb',
    gpus: 4,
    prefill: { tokens: SHORT, ms: [27.36, 27.78, 28.42, 52.46, 119.6, 196.2, 448.6] },
    decode: { requests: BATCH_32, ms: [5.509, 5.769, 5.992, 6.316, 7.049, 7.773] },
    source: ARTIFACT,
  },
];
