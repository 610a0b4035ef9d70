export { type DispatchHost, type DispatchPolicies, type Rejection } from './dispatch/dispatch-host.js';
export {
  type FleetDispatch,
  type FleetDispatchOptions,
  type FleetRequest,
  type Placement,
  createFleetDispatch,
} from './dispatch/fleet-dispatch.js';
export { Dispatcher } from './dispatch/dispatcher.js';
export { createFleetViews, type FleetViews, type FleetViewsOptions } from './fleet-views.js';
export { type InstanceReading } from './instance-table.js';
export { type LeaseId } from './ledger.js';
export { type InstanceSpec, type PoolSpec } from './specs.js';
