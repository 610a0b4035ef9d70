import { ConfigError, type Deployment, type DeploymentPerformance, type PerformanceModel } from '@sageserve/core';
import { gpuOf, kvCapacityTokens, shapeOf } from './deployment.js';
import { MEASURED_TABLES, type MeasuredTable } from './measured-tables.js';
import { kvBytesPerToken } from './model-shapes.js';
import { PiecewiseLinear } from './piecewise-linear.js';
import { sustainedTokensPerS } from './throughput.js';

/**
 * Share of the memory bandwidth that reading the KV cache reaches (aiconfigurator's empirical
 * factor).
 */
const KV_BANDWIDTH_SHARE = 0.8;

const DECODE_TABLE = 1_025;

export function measuredTableOf(deployment: Deployment): MeasuredTable | undefined {
  return MEASURED_TABLES.find(
    (t) => t.model === deployment.modelId && t.sku === deployment.skuId && t.gpus === deployment.gpusPerInstance,
  );
}

/**
 * Piecewise-linear models of measured tables. An iteration with prompts and decodes together was
 * not measured: it is taken to last as long as a prefill of all its tokens plus reading the
 * context, and never less than its decodes alone.
 */
export function createMeasuredPerformanceModel(): PerformanceModel {
  return {
    name: 'measured',
    forDeployment(deployment) {
      const table = measuredTableOf(deployment);
      if (table === undefined) {
        throw new ConfigError(
          'gpusPerInstance',
          `${deployment.modelId} on ${deployment.gpusPerInstance} × ${deployment.skuId} was not measured`,
          {
            hint:
              `Measured: ${MEASURED_TABLES.map((t) => `${t.model} on ${t.gpus} × ${t.sku}`).join(', ')}. The model ` +
              '"roofline" takes any.',
          },
        );
      }
      return fromTable(table, deployment);
    },
  };
}

function fromTable(table: MeasuredTable, deployment: Deployment): DeploymentPerformance {
  const prefill = new PiecewiseLinear(table.prefill.tokens, table.prefill.ms);
  const decode = new PiecewiseLinear(table.decode.requests, table.decode.ms);
  const msPerKvToken =
    (kvBytesPerToken(shapeOf(table.model)) / (table.gpus * gpuOf(table.sku).memoryBytesPerS * KV_BANDWIDTH_SHARE)) *
    1_000;
  // Batches are small whole numbers: a look-up in place of a search, twice for each run of
  // iterations.
  const decodeMsAt = Float64Array.from({ length: DECODE_TABLE }, (_, requests) =>
    requests === 0 ? 0 : decode.at(requests),
  );
  const performance = {
    kvCapacityTokens: kvCapacityTokens(deployment),
    iterationMs(prefillTokens: number, decodeRequests: number, kvTokens: number, prefillContextTokens: number): number {
      const decodeMs =
        (decodeRequests < DECODE_TABLE ? decodeMsAt[decodeRequests] : decode.at(decodeRequests)) +
        msPerKvToken * kvTokens;
      if (prefillTokens === 0) return decodeMs;
      const prefillMs = prefill.at(prefillTokens + decodeRequests) + msPerKvToken * (kvTokens + prefillContextTokens);
      return prefillMs > decodeMs ? prefillMs : decodeMs;
    },
  };
  return { ...performance, maxTokensPerS: (mix) => sustainedTokensPerS(performance, mix) };
}
