import { InvariantError } from '@sageserve/core';
import type { ResolvedConfig } from './config.js';
import type { GpuHosts } from './gpu-hosts.js';
import { DRAINING, FREE, type InstanceTable, PROVISIONING, READY } from './instance-table.js';

/** Instances of each endpoint, as they are counted. */
export interface InstanceCounts {
  readonly ready: Int32Array;
  readonly provisioning: Int32Array;
  readonly draining: Int32Array;
}

/** Throws `InvariantError` where instances or GPUs are not conserved. O(instances). */
export function auditFleet(
  config: ResolvedConfig,
  table: InstanceTable,
  hosts: GpuHosts,
  counted: InstanceCounts,
): void {
  const gpus = new Float64Array(hosts.inUse.length);
  const counts = new Int32Array(config.endpoints.length * 4);
  let used = 0;
  for (let i = 0; i < table.state.length; i++) {
    if (table.state[i] === FREE) continue;
    used++;
    const e = table.endpointOf[i];
    counts[e * 4 + table.state[i]]++;
    gpus[hosts.cellOf(e)] += config.endpoints[e].gpusPerInstance;
  }
  if (used + table.freeSlots !== table.state.length) throw new InvariantError('instance slots were lost');
  for (const [e] of config.endpoints.entries()) {
    if (
      counts[e * 4 + READY] !== counted.ready[e] ||
      counts[e * 4 + PROVISIONING] !== counted.provisioning[e] ||
      counts[e * 4 + DRAINING] !== counted.draining[e]
    ) {
      throw new InvariantError(`endpoint ${e} counts its instances wrongly`);
    }
  }
  for (const [r, region] of config.regions.entries()) {
    for (const [k] of config.skus.entries()) {
      const cell = hosts.cell(r, k);
      const held = gpus[cell] + hosts.spot.gpus(cell);
      if (held !== hosts.inUse[cell])
        throw new InvariantError(`GPUs of ${region} do not add up: ${held} against ${hosts.inUse[cell]}`);
      if (held > config.gpuCapacity[r][k]) throw new InvariantError(`${region} holds ${held} GPUs, above its capacity`);
    }
  }
}
