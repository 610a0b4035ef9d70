import { ConfigError, modelId, skuId } from '@sageserve/core';
import {
  createAutoPerformanceModel,
  GPU_MEMORY_SHARE,
  GPU_SHAPES,
  kvBytesPerToken,
  measuredTableOf,
  MODEL_SHAPES,
  ROOFLINE_2025,
  weightBytes,
} from '@sageserve/perf';
import { count, decimal, table } from '@sageserve/experiments';

export interface ProfilesOptions {
  readonly json?: boolean;
  readonly model?: string;
  readonly sku?: string;
}

interface Profile {
  readonly model: string;
  readonly sku: string;
  readonly gpus: number;
  /** Where the iteration times come from. */
  readonly basis: 'measured' | 'modelled';
  readonly source: string;
  readonly kvBytesPerToken: number;
  readonly kvCapacityTokens: number;
  readonly prefillMsAt1024: number;
  readonly decodeMsAt1: number;
  readonly decodeMsAt32: number;
  readonly tokensPerS: number;
}

/** Requests of Azure's 2023 conversation trace, by their medians. */
const MIX = { promptTokens: 1_020, outputTokens: 129 };
const DEGREES = [1, 2, 4, 8];

/**
 * `sageserve profiles`: every deployment that fits, and whether its speed is measured or modelled.
 */
export function profilesCommand(options: ProfilesOptions): void {
  const profiles = listProfiles().filter(
    (p) =>
      (options.model === undefined || p.model === options.model) &&
      (options.sku === undefined || p.sku === options.sku),
  );
  if (profiles.length === 0) {
    throw new ConfigError(options.model === undefined ? '--sku' : '--model', 'no deployment matches', {
      hint:
        `Models: ${MODEL_SHAPES.map((m) => m.modelId).join(', ')}. SKUs: ` +
        `${GPU_SHAPES.map((g) => g.skuId).join(', ')}.`,
    });
  }
  if (options.json === true) {
    console.log(JSON.stringify(profiles, null, 2));
    return;
  }
  console.log(
    table(
      [
        'model',
        'SKU',
        'GPUs',
        'basis',
        'KV kB/token',
        'KV tokens',
        'prefill 1,024',
        'decode ×1',
        'decode ×32',
        'tokens/s',
      ],
      profiles.map((p) => [
        p.model,
        p.sku,
        String(p.gpus),
        p.basis,
        decimal(p.kvBytesPerToken / 1_024, 0),
        count(p.kvCapacityTokens),
        `${decimal(p.prefillMsAt1024, 1)} ms`,
        `${decimal(p.decodeMsAt1, 1)} ms`,
        `${decimal(p.decodeMsAt32, 1)} ms`,
        count(p.tokensPerS),
      ]),
    ),
  );
  console.log(
    `\ndecode: one iteration at a context of 1,024 tokens each. tokens/s: prompt + output of a full batch of ` +
      `${count(MIX.promptTokens)} + ${count(MIX.outputTokens)} tokens.`,
  );
  console.log(
    'measured: ' +
      `${[...new Set(profiles.filter((p) => p.basis === 'measured').map((p) => p.source))].join('; ') || 'none of these'}.`,
  );
  console.log(
    `modelled: a roofline of ${decimal(ROOFLINE_2025.flopsShare * 100, 0)} % of FLOPS and ` +
      `${decimal(ROOFLINE_2025.bandwidthShare * 100, 0)} % of bandwidth, fitted on serving points of 2025. ` +
      'Measured tables are of older engines and slower.',
  );
}

function listProfiles(): Profile[] {
  const model = createAutoPerformanceModel();
  const profiles: Profile[] = [];
  for (const shape of MODEL_SHAPES) {
    for (const gpu of GPU_SHAPES) {
      for (const gpus of DEGREES) {
        const deployment = { modelId: modelId(shape.modelId), skuId: skuId(gpu.skuId), gpusPerInstance: gpus };
        // What does not fit has no profile; anything else that goes wrong is an error.
        if (GPU_MEMORY_SHARE * gpus * gpu.memoryBytes - weightBytes(shape) < kvBytesPerToken(shape)) continue;
        const performance = model.forDeployment(deployment);
        const measured = measuredTableOf(deployment);
        profiles.push({
          model: shape.modelId,
          sku: gpu.skuId,
          gpus,
          basis: measured === undefined ? 'modelled' : 'measured',
          source: measured?.source ?? 'roofline',
          kvBytesPerToken: kvBytesPerToken(shape),
          kvCapacityTokens: performance.kvCapacityTokens,
          prefillMsAt1024: performance.iterationMs(1_024, 0, 0, 0, 1),
          decodeMsAt1: performance.iterationMs(0, 1, 1_024, 0, 0),
          decodeMsAt32: performance.iterationMs(0, 32, 32 * 1_024, 0, 0),
          tokensPerS: performance.maxTokensPerS(MIX),
        });
      }
    }
  }
  return profiles;
}
