import {
  type ActuationResult,
  type ControlLoop,
  type FleetSnapshot,
  indexOfEndpoint,
  InvariantError,
  PolicyContractError,
  SCALING_CONTRACT,
  scalingBreach,
  type ScalingDecision,
} from '@sageserve/core';
import type { ControlPorts, ResolvedConfig } from './config.js';
import type { SimDispatchHost } from './dispatch-host.js';
import type { IncidentHost } from './incident-host.js';

/** Who scales the simulated fleet: a control loop that sees it as a live one, or a policy alone. */
export class ControlHost {
  /** When the control loop ticks next, `Infinity` where there is none. */
  nextAtMs = Infinity;
  readonly #config: ResolvedConfig;
  readonly #stage: SimDispatchHost;
  readonly #incidents: IncidentHost;
  readonly #nowMs: () => number;
  readonly #loop: ControlLoop | undefined;
  /** The newest fence that acted, by endpoint. */
  readonly #fences = new Map<number, number>();
  /** What ended an act of the control loop: a policy that broke its contract, or a defect. */
  #broken: { readonly error: Error } | undefined;

  /** Makes the configuration's control loop. `nowMs` is the time of the events. */
  constructor(config: ResolvedConfig, stage: SimDispatchHost, incidents: IncidentHost, nowMs: () => number) {
    this.#config = config;
    this.#stage = stage;
    this.#incidents = incidents;
    this.#nowMs = nowMs;
    this.#loop = config.control?.(this.#ports());
    if (this.#loop !== undefined) this.nextAtMs = this.#loop.nextTickAtMs;
  }

  /** The tick that is due. */
  async tick(): Promise<void> {
    const loop = this.#loop!;
    const atMs = this.nextAtMs;
    await loop.tick(atMs, { awaitPlan: true });
    // To a loop an actuator that throws is a fleet out of reach: it goes on.
    if (this.#broken !== undefined) throw this.#broken.error;
    this.nextAtMs = loop.nextTickAtMs;
    if (!(this.nextAtMs > atMs))
      throw new InvariantError(`the control loop asks at ${atMs} ms to be called again at ${this.nextAtMs} ms`);
  }

  /** Asks the scaling policy where there is no control loop. */
  scale(nowMs: number): void {
    // Without telemetry there is nothing to decide by.
    if (this.#loop !== undefined || this.#incidents.lastSeen !== undefined) return;
    const { scaling } = this.#config.policies;
    const fleet = this.#seen(nowMs);
    if (fleet === undefined) return;
    const decisions = scaling.decide(fleet, undefined, nowMs);
    const breach = scalingBreach(decisions, fleet);
    if (breach !== undefined)
      throw new PolicyContractError(`scaling policy "${scaling.name}"`, breach, SCALING_CONTRACT);
    let at = -1;
    for (const decision of decisions) {
      at = indexOfEndpoint(fleet, decision.endpointId, at + 1);
      const { readyInstances = NaN, provisioningInstances = NaN } = fleet.endpoints[at];
      // Where it is seen late, what is wanted kept is what was there before the last acts.
      if (decision.targetInstances !== readyInstances + provisioningInstances) this.#apply(decision);
    }
  }

  /** The simulated fleet through the interfaces that a live one has. */
  #ports(): ControlPorts {
    const { demand } = this.#stage.account;
    return {
      telemetry: {
        snapshot: () => this.#seen(this.#nowMs()) ?? Promise.reject(new Error('nothing was read yet')),
        demand: (keys, sinceMs) => keys.map((key) => demand.one(key, this.#nowMs(), sinceMs)),
      },
      actuator: {
        apply: (decisions, options) => {
          try {
            return decisions.map((decision) => this.#apply(decision, options?.fence));
          } catch (error) {
            this.#broken ??= { error: error as Error };
            throw error;
          }
        },
      },
    };
  }

  /**
   * The fleet as its host sees it: as it is, or as late as telemetry is; `undefined` where nothing
   * was read.
   */
  #seen(nowMs: number): FleetSnapshot | undefined {
    const { lag, telemetry } = this.#stage;
    return this.#incidents.lastSeen ?? (lag === undefined ? telemetry.snapshot(nowMs) : lag.snapshot(nowMs));
  }

  #apply({ endpointId, targetInstances }: ScalingDecision, fence?: number): ActuationResult {
    const { fleet, topology, dispatcher, telemetry } = this.#stage;
    const endpoint = telemetry.indexOf(endpointId);
    if (endpoint === undefined)
      return { endpointId, status: 'failed', reachedInstances: undefined, detail: 'the fleet has no such endpoint' };
    if (fence !== undefined) {
      const newest = this.#fences.get(endpoint) ?? fence;
      if (fence < newest)
        return { endpointId, status: 'refused', reachedInstances: undefined, detail: `fence ${newest} has acted` };
      this.#fences.set(endpoint, fence);
    }
    const nowMs = this.#nowMs();
    const pool = topology.poolOfEndpoint[endpoint];
    const planned = (): number => fleet.ready[endpoint] + fleet.provisioning[endpoint];
    const before = planned();
    if (fleet.apply(endpoint, { targetInstances }, nowMs) > 0) dispatcher.drain(pool, nowMs);
    const reachedInstances = planned();
    const missing = targetInstances - reachedInstances;
    if (missing <= 0)
      return {
        endpointId,
        status: reachedInstances === before ? 'unchanged' : 'applied',
        reachedInstances,
        detail: undefined,
      };
    const detail = fleet.isDown(topology.regionOfPool[pool])
      ? 'the region is down'
      : fleet.tookNone(endpoint)
        ? `the acquisition policy took no way to have ${missing} of them`
        : `no GPU was left for ${missing} of them`;
    return { endpointId, status: 'partial', reachedInstances, detail };
  }
}
