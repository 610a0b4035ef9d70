import type { FleetSnapshot } from '@sageserve/core';
import type { SimDispatchHost } from './dispatch-host.js';
import type { IncidentStep } from './incidents.js';

/**
 * Lets incidents happen at their times: regions and telemetry go and come back, hosts are evicted
 * after a notice.
 */
export class IncidentHost {
  /** When something happens next, `Infinity` for never. */
  nextAtMs: number;
  readonly #steps: readonly IncidentStep[];
  readonly #stage: SimDispatchHost;
  #next = 0;
  /** Instances on notice and when their hosts go, in order of time. */
  readonly #notices: { readonly instance: number; readonly atMs: number }[] = [];
  /** Outages of telemetry that are not over: they may overlap. */
  #telemetryOutages = 0;
  #lastSeen: FleetSnapshot | undefined;

  constructor(steps: readonly IncidentStep[], stage: SimDispatchHost) {
    this.#steps = steps;
    this.#stage = stage;
    this.nextAtMs = steps[0]?.atMs ?? Infinity;
  }

  /** What was seen last, while telemetry is down. */
  get lastSeen(): FleetSnapshot | undefined {
    return this.#telemetryOutages > 0 ? this.#lastSeen : undefined;
  }

  /** Carries out what is due. At equal times hosts that are on notice go first. */
  happen(nowMs: number): void {
    if (this.#notices[0]?.atMs === nowMs) this.#evict(nowMs);
    else this.#carryOut(this.#steps[this.#next++], nowMs);
    this.nextAtMs = Math.min(this.#steps[this.#next]?.atMs ?? Infinity, this.#notices[0]?.atMs ?? Infinity);
  }

  #evict(nowMs: number): void {
    const { fleet, dispatcher } = this.#stage;
    const { instance } = this.#notices.shift()!;
    if (fleet.awaitsEviction(instance)) dispatcher.lost(fleet.lose(instance, nowMs), nowMs);
  }

  #carryOut(step: IncidentStep, nowMs: number): void {
    const { topology, engine, fleet, telemetry, requests, poolQueues, dispatcher } = this.#stage;
    switch (step.kind) {
      case 'region-down': {
        const homeless = fleet.loseRegion(step.region, nowMs);
        for (let pool = 0; pool < topology.pools; pool++) {
          if (topology.regionOfPool[pool] !== step.region) continue;
          const queue = poolQueues[pool];
          while (queue.size > 0) homeless.push(queue.pop());
        }
        dispatcher.lost(
          homeless.sort((a, b) => requests.sequence[a] - requests.sequence[b]),
          nowMs,
        );
        break;
      }
      case 'region-up':
        fleet.restoreRegion(step.region);
        break;
      case 'telemetry-down':
        if (this.#telemetryOutages++ === 0) this.#lastSeen = telemetry.frozen(nowMs);
        break;
      case 'telemetry-up':
        this.#telemetryOutages--;
        break;
      case 'evict':
        if (step.spot) fleet.loseSpot(step.region, step.sku, step.instances, nowMs);
        else {
          const victims = fleet.notice(step.region, step.sku, step.instances, nowMs);
          for (const instance of victims)
            if (fleet.awaitsEviction(instance)) this.#notices.push({ instance, atMs: step.endsAtMs });
          this.#notices.sort((a, b) => a.atMs - b.atMs);
          for (const instance of victims)
            if (fleet.awaitsEviction(instance)) dispatcher.lost(engine.takeWaiting(instance), nowMs);
        }
        break;
    }
  }
}
