import type { EndpointSpec, ModelId } from '@sageserve/core';
import type { ResolvedConfig } from './config.js';
import type { Fleet } from './fleet.js';
import type { InstanceEngine } from './instance-engine.js';
import { DRAINING, READY } from './instance-table.js';
import type { RequestAccount } from './request-account.js';
import type { Topology } from './topology.js';

/**
 * What was left to do of a model when capacity stopped being counted, and what it takes to do it:
 * its tokens at the throughput of a saturated instance. A strategy that leaves more behind has held
 * less for that reason alone; with this on top all have done the same work.
 */
export interface LeftWork {
  readonly modelId: ModelId;
  readonly requests: number;
  /** Prompt and output tokens that no instance had done yet. */
  readonly tokens: number;
  /** On whichever of the model's deployments takes the fewest GPU-hours. */
  readonly gpuHours: number;
  readonly costUsd: number;
}

/** Tokens of requests that decode at `nowMs`, prompts and answers so far, by model. */
export function doneTokens(
  { models }: Pick<ResolvedConfig, 'models'>,
  { fleet, engine, topology }: { readonly fleet: Fleet; readonly engine: InstanceEngine; readonly topology: Topology },
  nowMs: number,
): Float64Array {
  const done = new Float64Array(models.length);
  for (const [i, state] of fleet.state.entries())
    if (state === READY || state === DRAINING)
      done[topology.modelOfPool[topology.poolOfEndpoint[fleet.endpointOf[i]]]] += engine.contextTokens(i, nowMs);
  return done;
}

/**
 * Charges what is in the system now. `doneTokens` are, by model, those of requests under way that
 * are done.
 */
export function leftWork(
  { models, endpoints, skus }: Pick<ResolvedConfig, 'models' | 'endpoints' | 'skus'>,
  left: RequestAccount['left'],
  doneTokens: Float64Array,
): LeftWork[] {
  return models.flatMap((modelId, m): LeftWork[] => {
    const requests = left.requests[m];
    if (requests === 0) return [];
    const mix = { promptTokens: left.prompt[m] / requests, outputTokens: left.output[m] / requests };
    const tokens = Math.max(0, left.prompt[m] + left.output[m] - doneTokens[m]);
    const gpuHoursOf = ({ performance, gpusPerInstance }: EndpointSpec): number =>
      (tokens / performance.maxTokensPerS(mix) / 3_600) * gpusPerInstance;
    // A model that nothing hosts has its requests turned away: none is left.
    const best = endpoints
      .filter(({ model }) => model === modelId)
      .reduce((one, other) => (gpuHoursOf(other) < gpuHoursOf(one) ? other : one));
    const gpuHours = gpuHoursOf(best);
    const price = skus.find(({ skuId }) => skuId === best.sku)!.usdPerGpuHour;
    return [{ modelId, requests, tokens, gpuHours, costUsd: gpuHours * price }];
  });
}
