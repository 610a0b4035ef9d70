import type { DemandSeries, EndpointId, ModelId, RegionId, WorkloadTier } from '@sageserve/core';
import type { CapacityReport, RequestReport } from '@sageserve/metrics';
import type { FleetActions } from './fleet-actions.js';
import type { LeftWork } from './left-work.js';
import type { RequestTable } from './request-table.js';

/** One endpoint over the last minute. */
export interface EndpointSample {
  readonly timeMs: number;
  readonly endpointId: EndpointId;
  readonly readyInstances: number;
  readonly provisioningInstances: number;
  readonly drainingInstances: number;
  /**
   * KV-cache tokens in use ÷ capacity of the endpoint's pool at the end of the minute; undefined
   * where nothing is ready.
   */
  readonly kvCacheUtilization: number | undefined;
  readonly runningRequests: number;
  readonly queuedRequests: number;
  /** Non-interactive requests of the model that are held back, over all regions. */
  readonly heldRequests: number;
  /** Requests that reached the endpoint's pool in the minute. */
  readonly arrivedRequests: number;
  readonly completedRequests: number;
}

export type RequestOutcome = 'completed' | 'rejected';

/** Watches a run. Everything passed in is borrowed. */
export interface SimulationObserver {
  onRequestEnd?(requests: RequestTable, slot: number, outcome: RequestOutcome, endedAtMs: number): void;
  /** Called for every endpoint once a simulated minute. */
  onSample?(sample: EndpointSample): void;
  /**
   * Called once, at the end of the run: interactive demand by model and region of origin, in
   * ten-minute buckets, two weeks at most.
   */
  onDemand?(demand: readonly DemandSeries[]): void;
  /**
   * Called after every batch of the trace. A promise is awaited before the run goes on: the place
   * to let other work have its turn.
   */
  onProgress?(progress: SimulationProgress): void | Promise<void>;
}

export interface SimulationProgress {
  readonly simulatedMs: number;
  readonly arrivedRequests: number;
  readonly endedRequests: number;
}

export interface ModelReport {
  readonly modelId: ModelId;
  readonly tier: WorkloadTier;
  readonly requests: RequestReport;
}

export interface GroupReport {
  readonly modelId: ModelId;
  readonly originRegion: RegionId;
  readonly tier: WorkloadTier;
  readonly requests: RequestReport;
}

export interface EndpointReport {
  readonly endpointId: EndpointId;
  readonly regionId: RegionId;
  readonly modelId: ModelId;
  readonly capacity: CapacityReport;
}

/** What a fleet costs, held and donated, in US dollars. */
export interface Bill {
  /** GPU-hours that are held, at their price. */
  readonly heldUsd: number;
  /** GPU-hours that are donated, at the same price: a GPU that is reserved is paid for. */
  readonly donatedUsd: number;
  /** What the donated ones earn as spot. */
  readonly spotUsd: number;
  /** What is paid for all less what is earned: a donated hour saves no more than its spot value. */
  readonly netUsd: number;
}

/** What a run came to. Plain data: `JSON.stringify` of it is the same for the same seed. */
export interface SimulationResult {
  /** Time over which capacity is counted: the configured duration, or up to the last arrival. */
  readonly durationMs: number;
  /** When the last request ended. */
  readonly endedAtMs: number;
  readonly total: RequestReport;
  readonly byTier: Readonly<Partial<Record<WorkloadTier, RequestReport>>>;
  /** By model and tier: the worst of them is what a strategy is judged by. */
  readonly byModel: readonly ModelReport[];
  readonly byGroup: readonly GroupReport[];
  readonly rejectedNoRegion: number;
  /** Requests whose prompt and output exceed the KV memory of a whole instance. */
  readonly rejectedTooLong: number;
  /**
   * Requests in the system when capacity stopped being counted; they were run to their end
   * afterwards.
   */
  readonly inFlightAtDurationEnd: number;
  /** What those are by model, and what it takes to do them. */
  readonly leftWork: readonly LeftWork[];
  /** Requests served outside their region of origin. */
  readonly servedAway: number;
  /**
   * Times that a request lost its instance to an outage or an eviction and began anew elsewhere.
   */
  readonly rerouted: number;
  readonly capacity: CapacityReport;
  /** Capacity with what it takes to do what was left: all strategies have then done the same. */
  readonly atEqualWork: { readonly gpuHours: number; readonly costUsd: number };
  /**
   * Capacity as if what was left took as many GPU-hours for its work as the rest did: who puts
   * much off to the end is charged what a saturated instance takes otherwise. Undefined where
   * nothing was done.
   */
  readonly atOwnRate?: { readonly gpuHours: number };
  readonly spotGpuHours: number;
  /** In dollars, what is donated with it. */
  readonly bill: Bill;
  readonly endpoints: readonly EndpointReport[];
  readonly actions: FleetActions;
  readonly preemptions: number;
  readonly iterations: number;
}
