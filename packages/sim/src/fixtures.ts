import {
  type ControlLoop,
  type DeploymentPerformance,
  modelId,
  regionId,
  type ScalingPolicy,
  skuId,
  WORKLOAD_TIERS,
} from '@sageserve/core';
import {
  createFcfsScheduler,
  createImmediateRelease,
  createLeastOutstandingTokensRouter,
  createUtilizationOverflow,
  createUtilizationRouter,
} from '@sageserve/routing';
import { createCheapestFirstAcquisition, createLeastWorkLostVictim, createStaticScaling } from '@sageserve/scaling';
import type { TraceRequest } from '@sageserve/trace';
import type { ControlPorts, SimulationConfig, SimulationPolicies } from './config.js';
import type { RequestTable } from './request-table.js';

/** A linear performance model: cheap to follow by hand. */
export function linearPerformance(kvCapacityTokens = 100_000): DeploymentPerformance {
  return {
    kvCapacityTokens,
    maxTokensPerS: () => 1_000,
    iterationMs: (prefill, decodes, kv, prefillContext) =>
      5 + 0.1 * prefill + 0.5 * decodes + 0.001 * (kv + prefillContext),
  };
}

/**
 * Regions `r0`, `r1`, … each with one endpoint of the model `m`; fields and policies may be
 * overridden.
 */
export function testConfig(
  options: {
    regions?: number;
    instances?: number;
    maxInstances?: number;
    minInstances?: number;
    gpus?: number;
    performance?: DeploymentPerformance;
    policies?: Partial<SimulationPolicies>;
    rttMs?: number;
  } & Partial<Omit<SimulationConfig, 'regions' | 'policies'>> = {},
): SimulationConfig {
  const {
    regions = 1,
    instances = 1,
    maxInstances = instances,
    minInstances = Math.min(1, instances),
    gpus = maxInstances,
    performance = linearPerformance(),
    policies,
    rttMs = 0,
    ...rest
  } = options;
  const names = Array.from({ length: regions }, (_, r) => regionId(`r${r}`));
  return {
    regions: names,
    models: [modelId('m')],
    skus: [{ skuId: skuId('gpu'), usdPerGpuHour: 1, reclaimMs: 60_000, redeployMs: 600_000, newVmMs: 2_400_000 }],
    endpoints: names.map((region) => ({
      region,
      model: modelId('m'),
      sku: skuId('gpu'),
      pool: 'shared',
      tiers: WORKLOAD_TIERS,
      gpusPerInstance: 1,
      performance,
      initialInstances: instances,
      minInstances,
      maxInstances,
    })),
    gpuCapacity: names.map(() => [gpus]),
    networkRttMs: names.map((_, i) => names.map((__, j) => (i === j ? 0 : rttMs))),
    policies: {
      regionRouter: createUtilizationRouter(),
      instanceRouter: createLeastOutstandingTokensRouter(),
      batchScheduler: createFcfsScheduler(),
      release: createImmediateRelease(),
      overflow: createUtilizationOverflow(),
      scaling: createStaticScaling(),
      victim: createLeastWorkLostVictim(),
      acquisition: createCheapestFirstAcquisition(),
      ...policies,
    },
    ...rest,
  };
}

export function request(
  arrivedAtMs: number,
  promptTokens: number,
  outputTokens: number,
  fields: Partial<TraceRequest> = {},
): TraceRequest {
  return { arrivedAtMs, promptTokens, outputTokens, originRegion: 'r0', model: 'm', ...fields };
}

/** A scaling policy that asks for given targets of the first endpoint at given times (ms). */
export function scriptedScaling(
  script: readonly (readonly [atMs: number, target: number])[],
  endpoint = 0,
): ScalingPolicy {
  let next = 0;
  return {
    name: 'scripted',
    decide(fleet, _plan, nowMs) {
      if (next >= script.length || nowMs < script[next][0]) return [];
      return [
        { endpointId: fleet.endpoints[endpoint].endpointId, targetInstances: script[next++][1], reason: 'script' },
      ];
    },
  };
}

export interface Outcome {
  readonly outcome: string;
  readonly region: number;
  readonly firstTokenAtMs: number;
  readonly endedAtMs: number;
}

/** Collects what became of each request, by id. */
export function outcomes(): {
  readonly byId: Map<number, Outcome>;
  onRequestEnd(requests: RequestTable, slot: number, outcome: string, endedAtMs: number): void;
} {
  const byId = new Map<number, Outcome>();
  return {
    byId,
    onRequestEnd(requests, slot, outcome, endedAtMs) {
      byId.set(requests.requestId[slot], {
        outcome,
        region: requests.servedRegion[slot],
        firstTokenAtMs: requests.firstTokenAtMs[slot],
        endedAtMs,
      });
    },
  };
}

/** A loop that ticks every minute and keeps what it sees. */
export function spyEveryMinute(
  then: (ports: ControlPorts, nowMs: number) => void | Promise<void>,
): (ports: ControlPorts) => ControlLoop {
  return (ports) => {
    let next = 0;
    return {
      get nextTickAtMs() {
        return next;
      },
      async tick(nowMs) {
        next = nowMs + 60_000;
        await then(ports, nowMs);
        return { atMs: nowMs, decisions: [], results: [], degradations: [] };
      },
    };
  };
}
