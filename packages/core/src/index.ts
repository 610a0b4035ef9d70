export { type AcquisitionIndex, type AcquisitionPolicy, type AcquisitionView } from './acquisition.js';
export { oddArithmetic } from './arithmetic.js';
export {
  type BatchBacklog,
  type BatchClaim,
  type BatchCounts,
  type BatchItem,
  type BatchListing,
  type BatchStore,
  heldQueueOf,
  type ItemLease,
  type ItemOutcome,
  type ItemResult,
  type LeasedItem,
  type NewBatch,
  type StoredBatch,
} from './batch-store.js';
export { boundedPriority, type PriorityScale } from './bounded-priority.js';
export { type Clock } from './clock.js';
export {
  type ActuationOptions,
  type ActuationResult,
  type Actuator,
  type CallOptions,
  type ControlLoop,
  DEFAULT_CADENCES,
  type TelemetrySource,
  type TickOptions,
  type TickReport,
} from './control.js';
export {
  DEFAULT_DEMAND_STEP_MS,
  type DemandForecast,
  type DemandKey,
  type DemandSeries,
  type ForecastColumn,
  type ForecastOptions,
  type Forecaster,
} from './demand.js';
export {
  ConfigError,
  InvariantError,
  messageOf,
  MissingDependencyError,
  PolicyContractError,
  SageServeError,
  type SageServeErrorOptions,
  TraceFormatError,
  UnknownPolicyError,
} from './errors.js';
export { maxOf, minOf } from './extremes.js';
export {
  type AcquisitionKind,
  type BacklogSnapshot,
  type CapacitySnapshot,
  type CountedEndpoint,
  DEMAND_WINDOW_MS,
  type DemandSnapshot,
  type EndpointSnapshot,
  type FleetSnapshot,
  indexOfEndpoint,
  isCounted,
  withoutFigures,
  type ProvisioningDelay,
} from './fleet.js';
export {
  DEFAULT_ACQUISITION,
  DEFAULT_NETWORK_RTT_MS,
  type EndpointSpec,
  type FleetSpec,
  type SkuSpec,
} from './fleet-spec.js';
export {
  type EndpointId,
  endpointId,
  type InstanceIndex,
  type ModelId,
  modelId,
  type RegionId,
  regionId,
  type RegionIndex,
  type SkuId,
  skuId,
} from './ids.js';
export { IndexedMinHeap } from './indexed-heap.js';
export { type Lease, type LeaseKeeper } from './lease.js';
export { meanMix } from './mean-mix.js';
export { type OverflowPolicy } from './overflow.js';
export { orAborted } from './or-aborted.js';
export { type Deployment, type DeploymentPerformance, type PerformanceModel, type TokenMix } from './performance.js';
export {
  type BindingConstraint,
  DEFAULT_DEMAND_QUANTILE,
  DEFAULT_LOCAL_SHARE,
  type DeferrableWork,
  type PlacementCost,
  PlacementGrid,
  type PlacementOptimizer,
  type PlacementOptions,
  type PlacementPlan,
  type PlacementProblem,
  type PlacementShortfall,
  type PlacementSolution,
  type PlannedDemand,
} from './placement.js';
export { type Policy, SPECIFICATION_VERSION } from './policy.js';
export {
  ACQUISITION_CONTRACT,
  acquisitionBreach,
  answered,
  OVERFLOW_CONTRACT,
  overflowBreach,
  SCALING_CONTRACT,
  scalingBreach,
  VICTIM_CONTRACT,
  victimBreach,
} from './policy-contract.js';
export { power, square } from './power.js';
export { type RequestView } from './request.js';
export { createRng, murmur3x86128, type Rng } from './rng.js';
export { type InstancePoolView, type InstanceRouter, type RegionPoolView, type RegionRouter } from './routing.js';
export { type ScalingDecision, type ScalingPolicy } from './scaling.js';
export {
  type SavedState,
  stateFromText,
  type Stateful,
  stateOfVersion,
  type StateStore,
  type StateStoreOptions,
  stateText,
} from './state.js';
export {
  type BatchScheduler,
  type EndpointLoadView,
  type HeldQueueView,
  PRIORITY_CLASS_MS,
  type ReleasePolicy,
} from './scheduling.js';
export {
  DEFAULT_OBJECTIVES,
  TIER_INTERACTIVE_FAST,
  TIER_INTERACTIVE_NORMAL,
  TIER_NON_INTERACTIVE,
  type TierObjective,
  WORKLOAD_TIERS,
  type WorkloadTier,
} from './tiers.js';
export { type VictimPolicy, type VictimState, type VictimView } from './victim.js';
export { Pacer } from './wall-clock.js';
export { withDeadline } from './with-deadline.js';
export { type Awaitable, isThenable, MS_PER_DAY, MS_PER_HOUR, MS_PER_MIN, MS_PER_S, MS_PER_WEEK } from './units.js';
