// @ts-check
/**
 * Scales each endpoint in proportion, as Kubernetes' autoscaler does: as many instances as would
 * bring its KV memory to the target. It shrinks by one at a time, and only after a calm while.
 * @param {{ target?: number, calmMs?: number }} [options] utilisation to aim at (0–1), and how long
 *   it must ask for less
 * @returns {import('@sageserve/core').ScalingPolicy}
 */
export function createProportionalScaling({ target = 0.5, calmMs = 120_000 } = {}) {
  /** @type {Map<string, number>} since when an endpoint has asked for less */
  const calmSince = new Map();
  return {
    name: 'proportional',
    // What it remembers outlives a restart of the controller.
    save: () => ({ version: 1, state: new Map(calmSince) }),
    restore({ state }) {
      calmSince.clear();
      for (const [id, sinceMs] of /** @type {typeof calmSince} */ (state)) calmSince.set(id, sinceMs);
    },
    decide(fleet, _plan, nowMs) {
      /** @type {import('@sageserve/core').ScalingDecision[]} */
      const decisions = [];
      for (const {
        endpointId,
        kvCacheUtilization: used,
        readyInstances,
        provisioningInstances,
        minInstances,
        maxInstances,
      } of fleet.endpoints) {
        // What is not known must not change anything.
        if (readyInstances === undefined || provisioningInstances === undefined) continue;
        const now = readyInstances + provisioningInstances;
        // What is not known must not shrink anything.
        const wanted = used === undefined ? now : Math.ceil((readyInstances * used) / target);
        const goal = Math.min(maxInstances, Math.max(minInstances, wanted));
        if (goal >= now) calmSince.delete(endpointId);
        else if (!calmSince.has(endpointId)) calmSince.set(endpointId, nowMs);
        const calm = nowMs - (calmSince.get(endpointId) ?? nowMs) >= calmMs;
        if (goal === now || (goal < now && !calm)) continue;
        if (goal < now) calmSince.set(endpointId, nowMs);
        decisions.push({
          endpointId,
          targetInstances: goal > now ? goal : now - 1,
          reason: `${goal} would bring memory in use to ${target}`,
        });
      }
      return decisions;
    },
  };
}

// A strategy is a scaling policy, and what else it brings; here nothing.
export default {
  strategies: { proportional: (/** @type {object} */ options) => ({ scaling: createProportionalScaling(options) }) },
};
