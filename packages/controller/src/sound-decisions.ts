import { answered, type EndpointId, type FleetSnapshot, indexOfEndpoint, type ScalingDecision } from '@sageserve/core';
import { named } from './seen.js';

const NONE: readonly string[] = [];

/** What of a policy's decisions may be acted on, and what is to be said of the rest. */
export interface Judged {
  readonly decisions: readonly ScalingDecision[];
  readonly told: readonly string[];
}

/**
 * Keeps a loop that goes on after a breach from acting on what breaks the contract of
 * `ScalingPolicy`, by the rules of `scalingBreach`, decision by decision. Of an endpoint that is
 * decided twice none is acted on: which of them is meant isn't known. One that was never in a
 * snapshot is a breach; one that was, and is missing now, is held, since neither its count nor its
 * bounds are known.
 */
export class SoundDecisions {
  readonly #known = new Set<EndpointId>();

  judge(policy: string, decisions: readonly ScalingDecision[], fleet: FleetSnapshot): Judged {
    for (const { endpointId } of fleet.endpoints) this.#known.add(endpointId);
    const odd: number[] = [];
    const strange: EndpointId[] = [];
    const missing: EndpointId[] = [];
    const outside: EndpointId[] = [];
    const unexplained: EndpointId[] = [];
    // Decisions come in the snapshot's order, of each endpoint once: where they do, none is looked
    // for among the others.
    let last = -1;
    let inOrder = true;
    let sound = decisions.filter(({ endpointId, targetInstances, reason }) => {
      const at = indexOfEndpoint(fleet, endpointId, last + 1);
      const endpoint = fleet.endpoints[at];
      if (endpoint === undefined) {
        (this.#known.has(endpointId) ? missing : strange).push(endpointId);
        return false;
      }
      if (at <= last) inOrder = false;
      last = at;
      if (!(Number.isInteger(targetInstances) && targetInstances >= 0)) odd.push(targetInstances);
      else if (targetInstances < endpoint.minInstances || targetInstances > endpoint.maxInstances)
        outside.push(endpointId);
      else if (typeof reason !== 'string' || reason === '') unexplained.push(endpointId);
      else return true;
      return false;
    });
    const twice = inOrder ? [] : decidedTwice(decisions, fleet);
    if (twice.length > 0) sound = sound.filter(({ endpointId }) => !twice.includes(endpointId));
    if (sound.length === decisions.length) return { decisions, told: NONE };
    const told: string[] = [];
    if (odd.length > 0) told.push(`${policy} asks for ${odd[0]} instances: that is ignored`);
    // The numbers may change with every tick, and would be news each time.
    if (outside.length > 0) told.push(`${policy} goes out of the bounds of ${namedOnce(outside)}: that is ignored`);
    if (unexplained.length > 0) told.push(`${policy} gives no reason for ${namedOnce(unexplained)}: that is ignored`);
    if (twice.length > 0) told.push(`${policy} decided twice for ${named(twice)}: what is there is held as it is`);
    if (strange.length > 0)
      told.push(`${policy} decided for ${answered(strange[0])}, which is no endpoint of the fleet: that is ignored`);
    if (missing.length > 0) told.push(`${namedOnce(missing)} can't be seen any more: what is there is held as it is`);
    return { decisions: sound, told };
  }
}

function decidedTwice(decisions: readonly ScalingDecision[], fleet: FleetSnapshot): readonly EndpointId[] {
  const times = new Map(fleet.endpoints.map(({ endpointId }) => [endpointId, 0]));
  for (const { endpointId } of decisions) {
    const before = times.get(endpointId);
    if (before !== undefined) times.set(endpointId, before + 1);
  }
  return [...times].filter(([, count]) => count > 1).map(([id]) => id);
}

function namedOnce(ids: readonly EndpointId[]): string {
  return named([...new Set(ids)]);
}
