export { createCheapestFirstAcquisition } from './acquisition/cheapest-first.js';
export { CHIRON_POOLS, type ChironLikeScalingOptions, createChironLikeScaling } from './chiron-like.js';
export {
  type BoundsOptions,
  type CooldownOptions,
  plannedInstances,
  withBounds,
  withCooldown,
  withRelativeUtilization,
} from './decorators.js';
export { createHpaScaling, type HpaOptions, type HpaTarget, type HpaTargets } from './hpa/hpa.js';
export { HPA_SCALE_IN, HPA_SCALE_OUT, type HpaPolicy, type HpaRules } from './hpa/hpa-behavior.js';
export { createKedaQueueScaling, type KedaQueueOptions } from './hpa/keda-queue.js';
export { createLtImmediateScaling, type LtImmediateScalingOptions } from './lt-i.js';
export { createLtUtilizationAwareScaling, type LtUtilizationAwareScalingOptions } from './lt-ua.js';
export { createLtUtilizationScaling, type LtUtilizationScalingOptions } from './lt-u.js';
export { createOracleScaling, type OracleScalingOptions } from './oracle.js';
export { createReactiveScaling, type ReactiveScalingOptions } from './reactive.js';
export { createSageScaling, DEFAULT_DRAIN_HOURS, type SageScalingOptions } from './sage.js';
export { createSiloedScaling, type PoolLayout, SILOED_POOLS } from './siloed.js';
export { createStaticScaling } from './static.js';
export { createLeastWorkLostVictim } from './victim/least-work-lost.js';
