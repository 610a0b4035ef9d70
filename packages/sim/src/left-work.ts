import { type EndpointSpec, type ModelId, MS_PER_HOUR } from '@sageserve/core';
import { type EngineWork, saturatedMs } from '@sageserve/perf';
import type { ResolvedConfig } from './config.js';
import type { Fleet } from './fleet.js';
import type { InstanceEngine } from './instance-engine.js';
import { DRAINING, READY } from './instance-table.js';
import { ModelWork } from './model-work.js';
import type { RequestAccount } from './request-account.js';

/**
 * What was not done of a model when capacity stopped being counted, and what it takes to do it on
 * saturated instances: what was in the system, and what had been turned away though the fleet has
 * instances that could hold it. A strategy that leaves or refuses more has held less for that
 * reason alone; with this on top all have done the same work.
 */
export interface LeftWork {
  readonly modelId: ModelId;
  /** In the system, and turned away. */
  readonly requests: number;
  /** Those of them that were turned away. */
  readonly refused: number;
  /** Prompt and output tokens that no instance had done yet. */
  readonly tokens: number;
  /** On whichever of the model's deployments takes the fewest GPU-hours. */
  readonly gpuHours: number;
  readonly costUsd: number;
}

/** What is done at `nowMs` of the requests that are in the system, by model. */
export function doneWork(
  { models }: Pick<ResolvedConfig, 'models'>,
  { fleet, engine }: { readonly fleet: Fleet; readonly engine: InstanceEngine },
  nowMs: number,
): ModelWork {
  const done = new ModelWork(models.length);
  for (const [i, state] of fleet.state.entries())
    if (state === READY || state === DRAINING) engine.addDone(i, nowMs, done);
  return done;
}

/** Charges what is in the system but for what is `done` of it, and what was turned away. */
export function leftWork(
  { models, endpoints, skus, engine, maxBatchTokens }: LeftOf,
  { left, refused }: Pick<RequestAccount, 'left' | 'refused'>,
  done: ModelWork,
): LeftWork[] {
  return models.flatMap((modelId, m): LeftWork[] => {
    const requests = left.requests[m] + refused.requests[m];
    if (requests === 0) return [];
    const prompts = Math.max(0, requests - done.requests[m]);
    const promptTokens = Math.max(0, left.prompt[m] + refused.prompt[m] - done.prompt[m]);
    const outputTokens = Math.max(0, left.output[m] + refused.output[m] - done.output[m]);
    const work: EngineWork = {
      prompts,
      promptTokens,
      // The first token of each comes with its prompt.
      decodes: Math.max(0, outputTokens - prompts),
      contextTokens: Math.max(0, left.context[m] + refused.context[m] - done.context[m]),
    };
    const gpuHoursOf = (e: number): number => {
      const { performance, gpusPerInstance } = endpoints[e];
      const limits = { ...engine, maxBatchTokens: maxBatchTokens[e] };
      return (saturatedMs(performance, limits, work) / MS_PER_HOUR) * gpusPerInstance;
    };
    // A model that nothing hosts has its requests turned away, and nothing could hold them.
    const best = endpoints
      .flatMap(({ model }, e) => (model === modelId ? [e] : []))
      .reduce((one, other) => (gpuHoursOf(other) < gpuHoursOf(one) ? other : one));
    const gpuHours = gpuHoursOf(best);
    const price = skus.find(({ skuId }) => skuId === endpoints[best].sku)!.usdPerGpuHour;
    return [
      {
        modelId,
        requests,
        refused: refused.requests[m],
        tokens: promptTokens + outputTokens,
        gpuHours,
        costUsd: gpuHours * price,
      },
    ];
  });
}

type LeftOf = Pick<ResolvedConfig, 'models' | 'skus' | 'engine' | 'maxBatchTokens'> & {
  readonly endpoints: readonly Pick<EndpointSpec, 'model' | 'sku' | 'gpusPerInstance' | 'performance'>[];
};
