export { acquisitionPolicyConformance, victimPolicyConformance } from './acts-suites.js';
export { batchStoreConformance } from './batch-suite.js';
export { type ConformanceCase, ConformanceError } from './conformance-case.js';
export {
  actuatorConformance,
  controlLoopConformance,
  type DemandQuestion,
  telemetrySourceConformance,
} from './control-suites.js';
export {
  fakeAcquisition,
  type FakeCell,
  fakeEndpoint,
  fakeEndpoints,
  fakeFleet,
  fakeHeldQueue,
  type FakeInstance,
  fakeInstancePool,
  fakeLoad,
  type FakeRegion,
  fakeRegionPool,
  fakeRequest,
  type FakeVictim,
  fakeVictims,
  type FakeWay,
} from './fakes.js';
export {
  clockConformance,
  forecasterConformance,
  performanceModelConformance,
  placementOptimizerConformance,
} from './model-suites.js';
export { overflowPolicyConformance } from './overflow-suite.js';
export {
  batchSchedulerConformance,
  instanceRouterConformance,
  regionRouterConformance,
  releasePolicyConformance,
} from './routing-suites.js';
export { scalingPolicyConformance } from './scaling-suite.js';
export { type LeaseBench, leaseConformance, stateStoreConformance } from './store-suites.js';
export { createVirtualClock, type VirtualClock } from './virtual-clock.js';
export { endpointLoadViewConformance, instancePoolViewConformance, regionPoolViewConformance } from './view-suites.js';
