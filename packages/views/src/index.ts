export {
  createFleetViews,
  type FleetViews,
  type FleetViewsOptions,
  type InstanceSpec,
  type PoolSpec,
} from './fleet-views.js';
export { type InstanceReading } from './instance-table.js';
export { type LeaseId } from './ledger.js';
