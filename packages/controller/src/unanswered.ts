import { type EndpointId, type FleetSnapshot, MS_PER_S, type ScalingDecision } from '@sageserve/core';
import { heldBy, named, type Seen } from './seen.js';

/** An act that was never answered is taken for lost after so many deadlines without effect. */
const LOST_AFTER = 5;

/** What an act asked for of one endpoint. */
interface Asked {
  readonly targetInstances: number;
  /** Whether it was less than was held then. */
  readonly isScaleIn: boolean;
}

/** An act of which the actuator has not said what came of it. */
export interface OpenAct {
  readonly atMs: number;
  readonly fence: number | undefined;
  readonly asked: ReadonlyMap<EndpointId, Asked>;
}

/** The same with what is left of it. */
interface Act extends OpenAct {
  readonly asked: Map<EndpointId, Asked>;
}

/**
 * Acts that are under way. One that is not answered, or rejects after it was given up, may still
 * take effect at any time, so that its endpoints wait for it. After the deadline it is told as a
 * degradation, and growth may follow that takes nothing of it back: no less than it asked for, and
 * nothing after a scale-in, which would take that back if it came second. A newer fence makes it
 * void, a snapshot that shows what it asked for settles it, and one that does not show it after
 * several deadlines means that it is lost: an endpoint is not held up for ever. All of that holds
 * for a loop that takes the place of the one that began it.
 */
export class Unanswered {
  readonly #deadlineMs: number;
  readonly #acts = new Set<Act>();

  constructor(deadlineMs: number) {
    this.#deadlineMs = deadlineMs;
  }

  save(): readonly OpenAct[] {
    return [...this.#acts].map((act) => ({ ...act, asked: new Map(act.asked) }));
  }

  /** Takes up acts that nobody will answer any more: whoever asked for them is gone. */
  restore(acts: readonly OpenAct[]): void {
    this.#acts.clear();
    for (const act of acts) this.#acts.add({ ...act, asked: new Map(act.asked) });
  }

  /**
   * Notes an act that begins; what is returned is to be called when it was answered, with the
   * endpoints of which the answer says nothing.
   */
  begin(
    decisions: readonly ScalingDecision[],
    seen: Seen,
    atMs: number,
    fence: number | undefined,
  ): (unknown?: readonly EndpointId[]) => void {
    const asked = new Map<EndpointId, Asked>();
    for (const { endpointId, targetInstances } of decisions)
      asked.set(endpointId, {
        targetInstances,
        isScaleIn: targetInstances < (heldBy(seen.get(endpointId)) ?? Infinity),
      });
    const act = { atMs, fence, asked };
    this.#acts.add(act);
    return (unknown = []) => {
      for (const id of [...asked.keys()]) if (!unknown.includes(id)) asked.delete(id);
      if (asked.size === 0) this.#acts.delete(act);
    };
  }

  /**
   * Takes what a snapshot shows to be done for answered, of acts that are past their deadline, and
   * what it does not show long after for lost. Forgets acts before `fence`. Returns what is to be
   * said of acts that are late or lost, if there are any.
   */
  look({ endpoints, takenAtMs }: FleetSnapshot, nowMs: number, fence: number | undefined): string | undefined {
    if (this.#acts.size === 0) return undefined;
    const late = new Set<EndpointId>();
    const lost = new Set<EndpointId>();
    for (const act of this.#acts) {
      if (fence !== undefined && act.fence !== undefined && act.fence < fence) this.#acts.delete(act);
      else if (this.#isLate(act, nowMs)) {
        for (const endpoint of endpoints) {
          const id = endpoint.endpointId;
          const ageMs = (endpoint.observedAtMs ?? takenAtMs) - act.atMs;
          const held = heldBy(endpoint);
          if (!(ageMs > 0) || !act.asked.has(id) || held === undefined) continue;
          const isDone = held === act.asked.get(id)!.targetInstances;
          if (!isDone && ageMs >= LOST_AFTER * this.#deadlineMs) lost.add(id);
          if (isDone || lost.has(id)) act.asked.delete(id);
        }
        for (const id of act.asked.keys()) late.add(id);
        if (act.asked.size === 0) this.#acts.delete(act);
      }
    }
    const of = (deadlines: number): string =>
      `the actuator has not answered for ${(deadlines * this.#deadlineMs) / MS_PER_S} s`;
    const told = [
      ...(late.size === 0 ? [] : [`${of(1)}: ${named([...late])}`]),
      ...(lost.size === 0 ? [] : [`${of(LOST_AFTER)}, and what was asked for is taken for lost: ${named([...lost])}`]),
    ];
    return told.length === 0 ? undefined : told.join('; ');
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

  #isLate({ atMs }: Act, nowMs: number): boolean {
    return nowMs - atMs >= this.#deadlineMs;
  }
}
