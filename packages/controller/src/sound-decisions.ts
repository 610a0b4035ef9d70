import { answered, type EndpointId, type FleetSnapshot, indexOfEndpoint, type ScalingDecision } from '@sageserve/core';
import { named } from './seen.js';

const NONE: readonly string[] = [];

/** What of a policy's decisions may be acted on, and what is to be said of the rest. */
export interface Judged {
  readonly decisions: readonly ScalingDecision[];
  readonly told: readonly string[];
}

/**
 * Keeps a loop that goes on after a breach from acting on what isn't known: on what is no count,
 * and on endpoints that the snapshot does not have. One that was never in a snapshot is a breach;
 * one that was, and is missing now, is held, since neither its count nor its bounds are known.
 */
export class SoundDecisions {
  readonly #known = new Set<EndpointId>();

  judge(policy: string, decisions: readonly ScalingDecision[], fleet: FleetSnapshot): Judged {
    for (const { endpointId } of fleet.endpoints) this.#known.add(endpointId);
    const odd: number[] = [];
    const strange: EndpointId[] = [];
    const missing: EndpointId[] = [];
    let at = -1;
    const sound = decisions.filter(({ endpointId, targetInstances }) => {
      at = indexOfEndpoint(fleet, endpointId, at + 1);
      if (at === -1) (this.#known.has(endpointId) ? missing : strange).push(endpointId);
      else if (Number.isInteger(targetInstances) && targetInstances >= 0) return true;
      else odd.push(targetInstances);
      return false;
    });
    if (sound.length === decisions.length) return { decisions, told: NONE };
    const told: string[] = [];
    if (odd.length > 0) told.push(`${policy} asks for ${odd[0]} instances: that is ignored`);
    if (strange.length > 0)
      told.push(`${policy} decided for ${answered(strange[0])}, which is no endpoint of the fleet: that is ignored`);
    if (missing.length > 0) told.push(`${named(missing)} can't be seen any more: what is there is held as it is`);
    return { decisions: sound, told };
  }
}
