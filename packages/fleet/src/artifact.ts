import { ConfigError, MS_PER_S, type PerformanceModel } from '@sageserve/core';
import { createTokenTablesPerformance } from '@sageserve/perf';

/** Iteration times of one model as the paper's artifact tabulates them, in seconds. */
export interface ArtifactTable {
  readonly batchTokens: readonly number[];
  readonly promptSeconds: readonly number[];
  readonly tokenSeconds: readonly number[];
  readonly kvBytesPerToken: number;
  readonly kvCapacityBytes: number;
}

const BATCH_TOKENS = [128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768];

/**
 * What the artifact of arXiv 2502.14617 uses for Llama-2-70B ("A") and Bloom-176B ("B") on eight
 * A100-80GB: medians of the splitwise-sim measurements (MIT) by prompt × batch. It counts KV bytes
 * with the full hidden size, eight times Llama's real size; kept as they are so that its results
 * can be reproduced.
 */
export const ARTIFACT_TABLES: Readonly<Record<string, ArtifactTable>> = {
  A: {
    batchTokens: BATCH_TOKENS,
    promptSeconds: [
      0.06534724007360637, 0.06675650901161134, 0.0930164810270071, 0.1608600309700705, 0.2827095299726352,
      0.7083550450042821, 1.780966780497692, 3.52454145392403, 7.553992661996745,
    ],
    tokenSeconds: [
      0.04303125888805866, 0.043483437884114975, 0.045033139639275174, 0.0445615851808904, 0.0456972767023267,
      0.046473363467572824, 0.04847078598617745, 0.05301698394519401, 0.0716051476655572,
    ],
    kvBytesPerToken: 2_621_440,
    kvCapacityBytes: 552_194_767_360,
  },
  B: {
    batchTokens: BATCH_TOKENS,
    promptSeconds: [
      0.07966843713074923, 0.09916399419307707, 0.17438230104744434, 0.2874673455953598, 0.5360554573126137,
      1.3326430150773376, 3.591468118596822, 5.782002554042265, 11.25182795501314,
    ],
    tokenSeconds: [
      0.047612100487618936, 0.047706697895154956, 0.049312983617212064, 0.049442481044239886, 0.05018820409116694,
      0.05163132658275944, 0.054273851959247464, 0.06538046831925085, 0.09658297453273645,
    ],
    kvBytesPerToken: 4_014_080,
    kvCapacityBytes: 358_194_767_360,
  },
};

/**
 * The artifact's performance model for the models of `tables`, whatever SKU they are said to run
 * on.
 */
export function createArtifactPerformanceModel(tables: Readonly<Record<string, ArtifactTable>>): PerformanceModel {
  return {
    name: 'artifact',
    forDeployment({ modelId }) {
      const table = Object.hasOwn(tables, modelId) ? tables[modelId] : undefined;
      if (table === undefined)
        throw new ConfigError('model', `the artifact has no table for "${modelId}"`, {
          hint: `It has ${Object.keys(tables).join(', ')}.`,
        });
      return createTokenTablesPerformance({
        batchTokens: table.batchTokens,
        promptMs: table.promptSeconds.map((s) => s * MS_PER_S),
        tokenMs: table.tokenSeconds.map((s) => s * MS_PER_S),
        mixedFactor: 1.1,
        overheadMs: 10,
        kvCapacityTokens: table.kvCapacityBytes / table.kvBytesPerToken,
      });
    },
  };
}
