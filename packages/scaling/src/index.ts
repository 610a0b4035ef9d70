export { type BoundsOptions, type CooldownOptions, plannedInstances, withBounds, withCooldown } from './decorators.js';
export { createReactiveScaling, type ReactiveScalingOptions } from './reactive.js';
export { createSiloedScaling, type PoolLayout, SILOED_POOLS } from './siloed.js';
export { createStaticScaling } from './static.js';
