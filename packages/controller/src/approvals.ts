import { ConfigError, type EndpointId, MS_PER_MIN, type ScalingDecision } from '@sageserve/core';

/** A decision that waits for a person. */
export interface PendingDecision {
  readonly decision: ScalingDecision;
  readonly proposedAtMs: number;
}

/**
 * Where decisions wait for a person, one for each endpoint: a newer proposal takes the place of an
 * older one, and one that nobody looked at is withdrawn after a while.
 */
export interface ApprovalQueue {
  readonly pending: readonly PendingDecision[];
  /**
   * Lets an endpoint's pending decision be carried out with the next tick; false where none is
   * pending.
   */
  approve(endpointId: EndpointId): boolean;
  /**
   * Drops it, and what is proposed again unchanged with it, until something else is proposed; false
   * where none is pending.
   */
  reject(endpointId: EndpointId): boolean;
  /** To be called by the loop: what it proposes now. Returns those that are new. */
  propose(decisions: readonly ScalingDecision[], nowMs: number): readonly ScalingDecision[];
  /** To be called by the loop: what has been approved, once. */
  takeApproved(): readonly ScalingDecision[];
}

export interface ApprovalQueueOptions {
  /**
   * A proposal that has waited for this long is withdrawn, and forgotten where it was rejected (ms,
   * default 15 min).
   */
  readonly expireAfterMs?: number;
}

const DEFAULT_EXPIRY_MS = 15 * MS_PER_MIN;

/** Throws `ConfigError` for an expiry that is not above 0. */
export function createApprovalQueue(options: ApprovalQueueOptions = {}): ApprovalQueue {
  const { expireAfterMs = DEFAULT_EXPIRY_MS } = options;
  if (!(expireAfterMs > 0)) throw new ConfigError('expireAfterMs', `must be above 0, not ${expireAfterMs}`);
  const pending = new Map<EndpointId, PendingDecision>();
  const approved = new Map<EndpointId, PendingDecision>();
  const rejected = new Map<EndpointId, PendingDecision>();
  return {
    get pending() {
      return [...pending.values()];
    },
    approve(endpointId) {
      const one = pending.get(endpointId);
      if (one === undefined) return false;
      pending.delete(endpointId);
      approved.set(endpointId, one);
      return true;
    },
    reject(endpointId) {
      const one = pending.get(endpointId);
      if (one === undefined) return false;
      pending.delete(endpointId);
      rejected.set(endpointId, one);
      return true;
    },
    propose(decisions, nowMs) {
      for (const waiting of [pending, approved, rejected])
        for (const [id, one] of waiting) if (nowMs - one.proposedAtMs >= expireAfterMs) waiting.delete(id);
      const fresh: ScalingDecision[] = [];
      for (const decision of decisions) {
        const id = decision.endpointId;
        const same = (other: ScalingDecision | undefined): boolean =>
          other?.targetInstances === decision.targetInstances;
        if (same(approved.get(id)?.decision) || same(pending.get(id)?.decision) || same(rejected.get(id)?.decision))
          continue;
        // What was approved and is no longer wanted must not be carried out.
        approved.delete(id);
        rejected.delete(id);
        pending.set(id, { decision, proposedAtMs: nowMs });
        fresh.push(decision);
      }
      return fresh;
    },
    takeApproved() {
      const taken = [...approved.values()].map(({ decision }) => decision);
      approved.clear();
      return taken;
    },
  };
}
