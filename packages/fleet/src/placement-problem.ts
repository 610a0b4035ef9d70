import {
  ConfigError,
  DEFAULT_NETWORK_RTT_MS,
  type DeferrableWork,
  type DemandForecast,
  type DemandKey,
  type FleetSpec,
  type ModelId,
  modelId,
  MS_PER_HOUR,
  PlacementGrid,
  type PlacementProblem,
  regionId,
  skuId,
  type TokenMix,
  type WorkloadTier,
} from '@sageserve/core';
import { demandWindows } from '@sageserve/optimize';
import { buildFleetSpec } from './build-fleet.js';
import { parseDurationMs } from './duration.js';
import type { Fleet } from './fleet-schema.js';

/** A fleet, with shares of its traffic by tier where something is known of it. */
export interface PlannedFleet extends Fleet {
  readonly traffic?: {
    readonly tiers: { readonly [T in WorkloadTier]?: number | undefined };
  };
}

export interface PlacementInput {
  /** One for each model and region that has demand. */
  readonly forecasts: readonly { readonly key: DemandKey; readonly forecast: DemandForecast }[];
  /** Mean shape of each model's requests, on which the speed of an instance depends. */
  readonly mix: ReadonlyMap<ModelId, TokenMix>;
  /** Instances that are held now; the fleet's initial ones unless given. */
  readonly current?: PlacementGrid;
  readonly deferrable?: readonly DeferrableWork[];
}

/**
 * The placement problem of a fleet for forecast demand. An instance carries the share
 * `placement.targetUtilization` of its throughput at the mix of tokens; starting one costs what it
 * is paid while it is redeployed. Throws `ConfigError` for a model without a mix, a deployment that
 * stands twice, or names that the fleet does not have.
 */
export function placementProblem(
  described: PlannedFleet,
  { forecasts, mix, current, deferrable }: PlacementInput,
  fleet: FleetSpec = buildFleetSpec(described, 'static'),
): PlacementProblem {
  const { placement } = described;
  const { regions, models } = fleet;
  const skus = fleet.skus.map((sku) => sku.skuId);
  const [M, R, K] = [models.length, regions.length, skus.length];
  const grid = (m: number, r: number, k: number): PlacementGrid => new PlacementGrid(m, r, k);
  const [held, least, most] = [grid(M, R, K), grid(M, R, K), grid(M, R, K)];
  const [tokens, gpus, usd, start] = [grid(M, 1, K), grid(M, 1, K), grid(M, 1, K), grid(M, 1, K)];
  const seen = new Set<string>();
  for (const endpoint of fleet.endpoints) {
    const [m, r, k] = [models.indexOf(endpoint.model), regions.indexOf(endpoint.region), skus.indexOf(endpoint.sku)];
    const id = `${endpoint.model} on ${endpoint.sku}`;
    if (seen.has(`${id} in ${endpoint.region}`))
      throw new ConfigError('models', `${id} is deployed twice in ${endpoint.region}`, {
        hint: 'A plan counts instances by model and SKU: keep one deployment of each.',
      });
    seen.add(`${id} in ${endpoint.region}`);
    const shape = mix.get(endpoint.model);
    if (shape === undefined && forecasts.some(({ key }) => key.modelId === endpoint.model))
      throw new ConfigError('mix', `has no prompt and output tokens of ${endpoint.model}`, {
        hint: 'Its demand must hold requests beside tokens, or --mix say how many a mean request has.',
      });
    held.set(m, r, k, endpoint.initialInstances);
    least.set(m, r, k, endpoint.minInstances);
    most.set(m, r, k, endpoint.maxInstances);
    gpus.set(m, 0, k, endpoint.gpusPerInstance);
    // Whole tokens: that is more than anyone knows of a throughput.
    if (shape !== undefined)
      tokens.set(m, 0, k, Math.floor(endpoint.performance.maxTokensPerS(shape) * placement.targetUtilization));
    const sku = fleet.skus[k]!;
    usd.set(m, 0, k, sku.usdPerGpuHour * endpoint.gpusPerInstance);
    start.set(
      m,
      0,
      k,
      Math.round(((sku.usdPerGpuHour * endpoint.gpusPerInstance * sku.redeployMs) / MS_PER_HOUR) * 100) / 100,
    );
  }
  if (current !== undefined) checkDeployed(current, { models, regions, skus }, gpus);
  const capacity = grid(1, R, K);
  for (let r = 0; r < R; r++) for (let k = 0; k < K; k++) capacity.set(0, r, k, fleet.gpuCapacity[r]![k]!);
  const fast = described.traffic?.tiers['interactive-fast'] ?? 0;
  const normal = described.traffic?.tiers['interactive-normal'] ?? 0;
  const fastShare = grid(M, R, 1);
  fastShare.values.fill(fast + normal > 0 ? fast / (fast + normal) : 1);
  return {
    models,
    regions,
    skus,
    current: current ?? held,
    minInstances: least,
    maxInstances: most,
    tokensPerSPerInstance: tokens,
    gpusPerInstance: gpus,
    gpuCapacity: capacity,
    usdPerInstanceHour: usd,
    startUsd: start,
    localShare: placement.localShare,
    ...demandWindows(models, regions, forecasts, {
      demandQuantile: placement.demandQuantile,
      ...(placement.demandBudget === undefined ? {} : { demandBudget: placement.demandBudget }),
    }),
    interactiveFastShare: fastShare,
    flowUsdPerMillionTokens: flowPrices(described, M),
    ...(deferrable === undefined ? {} : { deferrable }),
    provisioningWindows: provisioningWindows(described, forecasts[0]!.forecast.stepMs),
  };
}

/**
 * What is held must be of a deployment that the fleet knows: nothing else has GPUs or a price.
 */
function checkDeployed(
  current: PlacementGrid,
  { models, regions, skus }: Pick<PlacementProblem, 'models' | 'regions' | 'skus'>,
  gpus: PlacementGrid,
): void {
  for (const [m, model] of models.entries())
    for (const [r, region] of regions.entries())
      for (const [k, sku] of skus.entries())
        if (current.at(m, r, k) > 0 && gpus.at(m, 0, k) === 0)
          throw new ConfigError(
            'current',
            `holds ${current.at(m, r, k)} ${model} on ${sku} in ${region}, which the fleet does not deploy there`,
            {
              hint: 'Add the deployment to the fleet, with its GPUs for each instance.',
            },
          );
}

/** Price of distance by round trip, `Infinity` where residency forbids. */
function flowPrices({ regions, networkRttMs, placement }: Fleet, models: number): PlacementGrid {
  const names = regions.map((region) => region.name);
  for (const [from, allowed] of Object.entries(placement.residency)) {
    const unknown = [from, ...allowed].find((name) => !names.includes(name));
    if (unknown !== undefined)
      throw new ConfigError(`placement.residency.${from}`, `"${unknown}" is not a region of the fleet`, {
        hint: `It has ${names.join(', ')}.`,
      });
  }
  const prices = new PlacementGrid(models, names.length, names.length);
  for (let m = 0; m < models; m++) {
    for (const [i, from] of names.entries()) {
      for (const [j, to] of names.entries()) {
        if (i === j) continue;
        const allowed = placement.residency[from];
        const usd = (placement.distanceUsdPerMillionTokens * (networkRttMs?.[i]?.[j] ?? DEFAULT_NETWORK_RTT_MS)) / 100;
        prices.set(m, i, j, allowed !== undefined && !allowed.includes(to) ? Infinity : Math.round(usd * 1e6) / 1e6);
      }
    }
  }
  return prices;
}

function provisioningWindows({ regions, skus }: Fleet, stepMs: number): PlacementGrid {
  const windows = new PlacementGrid(1, regions.length, skus.length);
  for (const [k, sku] of skus.entries())
    for (const [r] of regions.entries()) windows.set(0, r, k, Math.ceil(parseDurationMs(sku.redeploy)! / stepMs));
  return windows;
}

/**
 * Instances by model, region and SKU from rows of text, such as a CSV's. Throws `ConfigError` with
 * the row for names that the fleet does not have, and for counts that are no whole numbers.
 */
export function heldInstances(
  problem: Pick<PlacementProblem, 'models' | 'regions' | 'skus'>,
  rows: readonly {
    readonly model: string;
    readonly region: string;
    readonly sku: string;
    readonly instances: string;
    readonly at: string;
  }[],
): PlacementGrid {
  const held = new PlacementGrid(problem.models.length, problem.regions.length, problem.skus.length);
  const seen = new Set<string>();
  for (const { model, region, sku, instances, at } of rows) {
    const [m, r, k] = [
      problem.models.indexOf(modelId(model)),
      problem.regions.indexOf(regionId(region)),
      problem.skus.indexOf(skuId(sku)),
    ];
    if (m === -1)
      throw new ConfigError(at, `"${model}" is not a model of the fleet`, {
        hint: `It has ${problem.models.join(', ')}.`,
      });
    if (r === -1)
      throw new ConfigError(at, `"${region}" is not a region of the fleet`, {
        hint: `It has ${problem.regions.join(', ')}.`,
      });
    if (k === -1)
      throw new ConfigError(at, `"${sku}" is not a SKU of the fleet`, {
        hint: `It has ${problem.skus.join(', ')}.`,
      });
    const count = Number(instances);
    if (!/^\d+$/.test(instances.trim()) || !Number.isSafeInteger(count))
      throw new ConfigError(at, `instances must be a whole number of 0 or more, not "${instances}"`);
    const id = `${model} on ${sku} in ${region}`;
    if (seen.has(id)) throw new ConfigError(at, `${id} stands twice`);
    seen.add(id);
    held.set(m, r, k, count);
  }
  return held;
}
