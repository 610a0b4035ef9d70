export { createFleetViews, type FleetViews, type FleetViewsOptions } from './fleet-views.js';
export { type InstanceReading } from './instance-table.js';
export { type LeaseId } from './ledger.js';
export { type InstanceSpec, type PoolSpec } from './specs.js';
