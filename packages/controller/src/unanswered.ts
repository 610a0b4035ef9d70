import { type EndpointId, type FleetSnapshot, MS_PER_S, type ScalingDecision } from '@sageserve/core';
import { heldBy, named, type Seen } from './seen.js';

/** What an act asked for of one endpoint. */
interface Asked {
  readonly targetInstances: number;
  /** Whether it was less than was held then. */
  readonly isScaleIn: boolean;
}

/** Acts of which the actuator has not said what came of them. */
interface OpenAct {
  readonly atMs: number;
  readonly fence: number | undefined;
  readonly asked: Map<EndpointId, Asked>;
}

/**
 * Acts that are under way. One that is not answered, or rejects after it was given up, may still
 * take effect at any time, so that its endpoints wait for it. After the deadline it is told as a
 * degradation, and growth may follow that takes nothing of it back: no less than it asked for, and
 * nothing after a scale-in, which would take that back if it came second. A newer fence makes it
 * void, and a snapshot that shows what it asked for settles it.
 */
export class Unanswered {
  readonly #deadlineMs: number;
  readonly #acts = new Set<OpenAct>();

  constructor(deadlineMs: number) {
    this.#deadlineMs = deadlineMs;
  }

  /** Notes an act that begins; what is returned is to be called when it was answered. */
  begin(decisions: readonly ScalingDecision[], seen: Seen, atMs: number, fence: number | undefined): () => void {
    const asked = new Map<EndpointId, Asked>();
    for (const { endpointId, targetInstances } of decisions)
      asked.set(endpointId, {
        targetInstances,
        isScaleIn: targetInstances < (heldBy(seen.get(endpointId)) ?? Infinity),
      });
    const act = { atMs, fence, asked };
    this.#acts.add(act);
    return () => this.#acts.delete(act);
  }

  /**
   * Takes what a snapshot shows to be done for answered, of acts that are past their deadline.
   * Returns what is to be said of the others, if there are any.
   */
  look({ endpoints, takenAtMs }: FleetSnapshot, nowMs: number): string | undefined {
    if (this.#acts.size === 0) return undefined;
    const late = new Set<EndpointId>();
    for (const act of this.#acts) {
      if (!this.#isLate(act, nowMs)) continue;
      for (const endpoint of endpoints) {
        const isLater = (endpoint.observedAtMs ?? takenAtMs) > act.atMs;
        if (isLater && heldBy(endpoint) === act.asked.get(endpoint.endpointId)?.targetInstances)
          act.asked.delete(endpoint.endpointId);
      }
      for (const id of act.asked.keys()) late.add(id);
      if (act.asked.size === 0) this.#acts.delete(act);
    }
    if (late.size === 0) return undefined;
    return `the actuator has not answered for ${this.#deadlineMs / MS_PER_S} s: ${named([...late])}`;
  }

  /** Why a decision must wait for an act before it, in words; `undefined` where it need not. */
  whyHeld(
    { endpointId, targetInstances }: ScalingDecision,
    held: number | undefined,
    nowMs: number,
    fence: number | undefined,
  ): string | undefined {
    for (const act of this.#acts) {
      const before = act.asked.get(endpointId);
      // Once a newer fence has acted it is refused.
      if (before === undefined || (fence !== undefined && act.fence !== undefined && act.fence < fence)) continue;
      if (!this.#isLate(act, nowMs)) return 'an act before it was not answered yet';
      if (before.isScaleIn) return 'a scale-in before it was never answered, and may still come';
      if (!(targetInstances >= before.targetInstances && targetInstances > (held ?? Infinity)))
        return 'an act before it was never answered: until it is known what came of it, it may only grow';
    }
    return undefined;
  }

  #isLate({ atMs }: OpenAct, nowMs: number): boolean {
    return nowMs - atMs >= this.#deadlineMs;
  }
}
