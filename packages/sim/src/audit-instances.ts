import { InvariantError } from '@sageserve/core';
import type { Fleet } from './fleet.js';
import type { InstanceEngine } from './instance-engine.js';

/**
 * Throws `InvariantError` where instances or KV memory are not conserved, or an instance idles with
 * work; returns how many requests instances hold. O(fleet + requests in flight).
 */
export function auditInstances(fleet: Fleet, engine: InstanceEngine, pools: number, nowMs: number): number {
  fleet.audit();
  let inInstances = 0;
  for (let i = 0; i < fleet.state.length; i++) {
    const held = engine.requestsHeld(i);
    if (held === 0) continue;
    inInstances += held;
    if (engine.isIdle(i)) throw new InvariantError(`instance ${i} idles with ${held} requests`);
    const tokens = engine.auditKvTokens(i);
    if (tokens !== engine.kvUsed(i))
      throw new InvariantError(`instance ${i} accounts for ${tokens} KV tokens and has ${engine.kvUsed(i)} in use`);
    if (tokens > engine.kvCapacity(i))
      throw new InvariantError(`instance ${i} uses ${tokens} KV tokens of ${engine.kvCapacity(i)}`);
  }
  const sums = new Float64Array(pools);
  for (let i = 0; i < fleet.state.length; i++)
    if (engine.poolOf[i] >= 0) sums[engine.poolOf[i]] += engine.kvTokens(i, nowMs);
  for (const [pool, sum] of sums.entries()) {
    // The sum is kept by adding and taking away, so that rounding leaves traces.
    if (Math.abs(sum - engine.poolKvTokens(pool, nowMs)) > 1)
      throw new InvariantError(
        `pool ${pool} sums up ${engine.poolKvTokens(pool, nowMs)} KV tokens where its instances have ${sum}`,
      );
  }
  return inInstances;
}

/**
 * Throws `InvariantError` where a request is in no place, or in two: `inInstances` are with an
 * instance.
 */
export function auditRequests(
  {
    account: { ended },
    heldRequests,
    live,
    poolQueues,
    sequence,
    transit,
  }: {
    readonly account: { readonly ended: number };
    readonly heldRequests: { readonly count: Int32Array };
    readonly live: number;
    readonly poolQueues: readonly { readonly size: number }[];
    readonly sequence: number;
    readonly transit: { readonly size: number };
  },
  inInstances: number,
): void {
  let waiting = transit.size;
  for (const queue of poolQueues) waiting += queue.size;
  for (const count of heldRequests.count) waiting += count;
  if (live !== inInstances + waiting)
    throw new InvariantError(`${live} requests are live, ${inInstances} in instances and ${waiting} waiting`);
  if (sequence !== ended + live)
    throw new InvariantError(`${sequence} requests arrived, ${ended} ended and ${live} are live`);
}
