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

/**
 * Whether the fleet may have an instance that can hold a request, in a region that it may run in:
 * who turns it away then leaves it undone.
 */
export function isServable(
  { endpoints, models, regions }: Pick<ResolvedConfig, 'endpoints' | 'models' | 'regions'>,
  model: number,
  tokens: number,
  allowed: Uint8Array | undefined,
): boolean {
  const own = endpoints.filter((one) => one.model === models[model]);
  return (
    own.some(({ performance }) => tokens <= performance.kvCapacityTokens) &&
    own.some(({ region }) => allowed === undefined || allowed[regions.indexOf(region)] === 1)
  );
}

/** Charges what is in the system but for what is `done` of it, and what was turned away. */
export function leftWork(
  config: Charged,
  { left, refused }: Pick<RequestAccount, 'left' | 'refused'>,
  done: ModelWork,
): LeftWork[] {
  return config.models.flatMap((modelId, m): LeftWork[] => {
    const requests = left.requests[m] + refused.requests[m];
    if (requests === 0) return [];
    const prompts = Math.max(0, requests - done.requests[m]);
    const promptTokens = Math.max(0, left.prompt[m] + refused.prompt[m] - done.prompt[m]);
    const outputTokens = Math.max(0, left.output[m] + refused.output[m] - done.output[m]);
    const charge = chargeOf(config, modelId, {
      prompts,
      promptTokens,
      // The first token of each comes with its prompt.
      decodes: Math.max(0, outputTokens - prompts),
      contextTokens: Math.max(0, left.context[m] + refused.context[m] - done.context[m]),
    });
    const tokens = promptTokens + outputTokens;
    return [{ modelId, requests, refused: refused.requests[m], tokens, ...charge }];
  });
}

/** GPU-hours that saturated instances take for all that came and could be served. */
export function cameGpuHours(
  config: Charged,
  { came, unservable }: Pick<RequestAccount, 'came' | 'unservable'>,
): number {
  return config.models.reduce((sum, modelId, m) => {
    const prompts = came.requests[m] - unservable.requests[m];
    if (prompts === 0) return sum;
    const { gpuHours } = chargeOf(config, modelId, {
      prompts,
      promptTokens: came.prompt[m] - unservable.prompt[m],
      decodes: came.output[m] - unservable.output[m] - prompts,
      contextTokens: came.context[m] - unservable.context[m],
    });
    return sum + gpuHours;
  }, 0);
}

/** On the deployment that takes the fewest GPU-hours. Something hosts the model. */
function chargeOf(
  { endpoints, skus, engine, maxBatchTokens }: Charged,
  modelId: ModelId,
  work: EngineWork,
): Pick<LeftWork, 'gpuHours' | 'costUsd'> {
  const charges = endpoints.flatMap(({ model, sku, performance, gpusPerInstance }, e) => {
    if (model !== modelId) return [];
    const ms = saturatedMs(performance, { ...engine, maxBatchTokens: maxBatchTokens[e] }, work);
    return [{ sku, gpuHours: (ms / MS_PER_HOUR) * gpusPerInstance }];
  });
  const { sku, gpuHours } = charges.reduce((one, other) => (other.gpuHours < one.gpuHours ? other : one));
  return { gpuHours, costUsd: gpuHours * skus.find(({ skuId }) => skuId === sku)!.usdPerGpuHour };
}

type Charged = Pick<ResolvedConfig, 'models' | 'skus' | 'engine' | 'maxBatchTokens'> & {
  readonly endpoints: readonly Pick<EndpointSpec, 'model' | 'sku' | 'gpusPerInstance' | 'performance'>[];
};
