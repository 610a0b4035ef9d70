import {
  type AcquisitionKind,
  type AcquisitionView,
  type EndpointLoadView,
  endpointId,
  type EndpointSnapshot,
  type FleetSnapshot,
  type HeldQueueView,
  type InstancePoolView,
  type ModelId,
  modelId,
  regionId,
  type RegionPoolView,
  type RequestView,
  skuId,
  type VictimState,
  type VictimView,
  WORKLOAD_TIERS,
} from '@sageserve/core';

/** A request with sensible fields; any may be overridden. */
export function fakeRequest(fields: Partial<RequestView> = {}): RequestView {
  return {
    requestId: 1,
    modelId: modelId('model-a'),
    tier: 'interactive-fast',
    originRegion: 0,
    arrivedAtMs: 0,
    deadlineAtMs: 1_000,
    promptTokens: 100,
    isPromptEstimated: false,
    maxOutputTokens: 1_000,
    affinityKey: undefined,
    attempt: 0,
    ...fields,
  };
}

/** One region of a fake pool; what is given as `undefined` is not known. */
export interface FakeRegion {
  readonly hosts?: boolean;
  readonly allowed?: boolean;
  readonly readyInstances?: number | undefined;
  readonly kvCacheUtilization?: number | undefined;
  readonly queuedTokens?: number | undefined;
  readonly ageMs?: number;
}

/** Regions in order of preference as they are listed, 10 ms apart. */
export function fakeRegionPool(regions: readonly FakeRegion[]): RegionPoolView {
  const preference = regions.map((_, r) => r).filter((r) => regions[r]!.allowed !== false);
  return {
    count: regions.length,
    regionId: (r) => regionId(`region-${r}`),
    hosts: (r) => regions[r]!.hosts ?? true,
    allowed: (r) => regions[r]!.allowed ?? true,
    preferenceCount: preference.length,
    preferred: (k) => preference[k]!,
    readyInstances: (r) => given(regions[r]!, 'readyInstances', 1),
    kvCacheUtilization: (r) => given(regions[r]!, 'kvCacheUtilization', 0),
    queuedTokens: (r) => given(regions[r]!, 'queuedTokens', 0),
    ageMs: (r) => regions[r]!.ageMs ?? 0,
    networkRttMs: (from, to) => Math.abs(from - to) * 10,
  };
}

/** One instance of a fake pool; what is given as `undefined` is not known. */
export interface FakeInstance {
  readonly isReady?: boolean;
  readonly kvCapacityTokens?: number;
  readonly kvCacheUtilization?: number | undefined;
  readonly queuedRequests?: number | undefined;
  readonly outstandingTokens?: number | undefined;
  readonly ageMs?: number;
}

export function fakeInstancePool(instances: readonly FakeInstance[]): InstancePoolView {
  return {
    key: 'pool-a',
    count: instances.length,
    instanceId: (i) => `instance-${i}`,
    isReady: (i) => instances[i]!.isReady ?? true,
    fits: (i, tokens) => tokens <= (instances[i]!.kvCapacityTokens ?? Infinity),
    kvCacheUtilization: (i) => given(instances[i]!, 'kvCacheUtilization', 0),
    queuedRequests: (i) => given(instances[i]!, 'queuedRequests', 0),
    outstandingTokens: (i) => given(instances[i]!, 'outstandingTokens', 0),
    ageMs: (i) => instances[i]!.ageMs ?? 0,
  };
}

/** One instance that may be given up; what is given as `undefined` is not known. */
export interface FakeVictim {
  readonly state?: VictimState;
  readonly outstandingTokens?: number | undefined;
  readonly runningRequests?: number | undefined;
  readonly kvCacheUtilization?: number | undefined;
  readonly sinceRequestedMs?: number | undefined;
  readonly untilReadyMs?: number | undefined;
  readonly ageMs?: number;
}

/** Candidates as they are listed: the ready ones are to come first. */
export function fakeVictims(instances: readonly FakeVictim[]): VictimView {
  return {
    endpointId: fakeEndpoint().endpointId,
    count: instances.length,
    instanceId: (i) => `instance-${i}`,
    state: (i) => instances[i]!.state ?? 'ready',
    outstandingTokens: (i) => given(instances[i]!, 'outstandingTokens', 0),
    runningRequests: (i) => given(instances[i]!, 'runningRequests', 0),
    kvCacheUtilization: (i) =>
      instances[i]!.state === 'provisioning' ? undefined : given(instances[i]!, 'kvCacheUtilization', 0),
    sinceRequestedMs: (i) => given(instances[i]!, 'sinceRequestedMs', 60_000),
    untilReadyMs: (i) => given(instances[i]!, 'untilReadyMs', 0),
    ageMs: (i) => instances[i]!.ageMs ?? 0,
  };
}

/** One way to have an instance; what is given as `undefined` is not known. */
export interface FakeWay {
  readonly kind?: AcquisitionKind;
  readonly source?: string;
  /** The endpoint's own model unless given, but for a new VM, which has none. */
  readonly weightsOf?: ModelId | undefined;
  readonly available?: number | undefined;
  readonly expectedDelayMs?: number | undefined;
  readonly usdPerHour?: number | undefined;
}

/** Ways for an endpoint of `model-a`, as they are listed; new VMs unless they say otherwise. */
export function fakeAcquisition(ways: readonly FakeWay[]): AcquisitionView {
  const { endpointId: id, modelId: model } = fakeEndpoint();
  const kind = (o: number): AcquisitionKind => ways[o]!.kind ?? 'new-vm';
  return {
    endpointId: id,
    modelId: model,
    count: ways.length,
    kind,
    source: (o) => ways[o]!.source ?? 'node-pool-a',
    weightsOf: (o) => ('weightsOf' in ways[o]! ? ways[o].weightsOf : kind(o) === 'new-vm' ? undefined : model),
    available: (o) => given(ways[o]!, 'available', 1),
    expectedDelayMs: (o) => given(ways[o]!, 'expectedDelayMs', 60_000),
    usdPerHour: (o) => given(ways[o]!, 'usdPerHour', 1),
  };
}

/** A field of a fake as it is given, `undefined` too, or else its default. */
function given<K extends string>(
  fake: { readonly [key in K]?: number | undefined },
  key: K,
  otherwise: number,
): number | undefined {
  return key in fake ? fake[key] : otherwise;
}

/** Held requests by their deadlines. */
export function fakeHeldQueue(deadlinesAtMs: readonly number[]): HeldQueueView {
  return {
    count: deadlinesAtMs.length,
    earliestDeadlineAtMs: Math.min(Infinity, ...deadlinesAtMs),
    countDueBy: (atMs) => deadlinesAtMs.filter((deadline) => deadline <= atMs).length,
  };
}

export function fakeLoad(fields: Partial<EndpointLoadView> = {}): EndpointLoadView {
  return {
    key: 'pool-a',
    modelId: modelId('model-a'),
    regionId: regionId('region-a'),
    readyInstances: 2,
    kvCacheUtilization: 0,
    queuedTokens: 0,
    ageMs: 0,
    releasedSinceReading: 0,
    ...fields,
  };
}

/** An endpoint with two ready instances of at most ten; any field may be overridden. */
export function fakeEndpoint(fields: Partial<EndpointSnapshot> = {}): EndpointSnapshot {
  const region = fields.regionId ?? regionId('region-a');
  const model = fields.modelId ?? modelId('model-a');
  const sku = fields.skuId ?? skuId('sku-a');
  const pool = fields.pool ?? 'shared';
  return {
    endpointId: endpointId(region, model, sku, pool),
    modelId: model,
    regionId: region,
    skuId: sku,
    pool,
    tiers: WORKLOAD_TIERS,
    gpusPerInstance: 1,
    minInstances: 2,
    maxInstances: 10,
    readyInstances: 2,
    provisioningInstances: 0,
    drainingInstances: 0,
    kvCacheUtilization: 0.5,
    queuedRequests: 0,
    queuedTokens: 0,
    runningRequests: 0,
    demandTokensPerS: 0,
    ...fields,
  };
}

export function fakeFleet(endpoints: readonly EndpointSnapshot[], takenAtMs = 0): FleetSnapshot {
  return { takenAtMs, endpoints, capacity: [] };
}

/** Where one of the {@link fakeEndpoints} lies: positions of its model, region and SKU. */
export interface FakeCell {
  readonly m: number;
  readonly r: number;
  readonly k: number;
}

/**
 * Two models on two SKUs in two regions, in the order of a placement grid: one endpoint is too few
 * to notice an index that is mixed up. Any field may be given by position.
 */
export function fakeEndpoints(fields: (cell: FakeCell) => Partial<EndpointSnapshot> = () => ({})): EndpointSnapshot[] {
  const both = ['a', 'b'] as const;
  return both.flatMap((model, m) =>
    both.flatMap((region, r) =>
      both.map((sku, k) =>
        fakeEndpoint({
          modelId: modelId(`model-${model}`),
          regionId: regionId(`region-${region}`),
          skuId: skuId(`sku-${sku}`),
          ...fields({ m, r, k }),
        }),
      ),
    ),
  );
}
