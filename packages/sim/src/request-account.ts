import { TIER_NON_INTERACTIVE } from '@sageserve/core';
import { RequestMetrics } from '@sageserve/metrics';
import type { Rejection } from '@sageserve/views';
import type { ResolvedConfig } from './config.js';
import { DemandTelemetry } from './demand-telemetry.js';
import { ModelWork } from './model-work.js';
import {
  ARRIVED_AT,
  DEADLINE_AT,
  FIRST_TOKEN_AT,
  MODEL,
  ORIGIN,
  OUTPUT,
  PROMPT,
  type RequestTable,
  SLOW,
  TIER,
} from './request-table.js';

/** What became of the requests, counted once each, and the demand that they were. */
export class RequestAccount {
  readonly metrics: RequestMetrics;
  readonly demand: DemandTelemetry;
  /** Requests that have ended, in whatever way, and when the last one did. */
  ended = 0;
  endedAtMs = 0;
  readonly rejectedFor: Record<Rejection, number> = { 'no-region': 0, 'too-long': 0 };
  /** Requests that were sent to another region than that of their origin, and are still there. */
  servedAway = 0;
  /** Requests that lost their instance or their region and began anew. */
  rerouted = 0;
  /** By pool, since it was taken last: requests that reached it and were completed, and tokens. */
  readonly arrivedInPool: Float64Array;
  readonly completedInPool: Float64Array;
  readonly tokensInPool: Float64Array;
  /** All that came. */
  readonly came: ModelWork;
  /** What is in the system. */
  readonly left: ModelWork;
  /** What was turned away though some instance of the fleet could have held it. */
  readonly refused: ModelWork;
  /** What was turned away since none could. */
  readonly unservable: ModelWork;
  readonly #requests: RequestTable;
  readonly #regions: number;

  constructor(config: ResolvedConfig, pools: number, requests: RequestTable) {
    this.#requests = requests;
    this.#regions = config.regions.length;
    this.metrics = new RequestMetrics({
      groups: config.models.length * config.regions.length,
      objectives: config.objectives,
    });
    this.came = new ModelWork(config.models.length);
    this.left = new ModelWork(config.models.length);
    this.refused = new ModelWork(config.models.length);
    this.unservable = new ModelWork(config.models.length);
    this.demand = new DemandTelemetry(config.models, config.regions, config.demandHistory);
    this.arrivedInPool = new Float64Array(pools);
    this.completedInPool = new Float64Array(pools);
    this.tokensInPool = new Float64Array(pools);
  }

  arrived(model: number, origin: number, tier: number, prompt: number, output: number): void {
    this.came.add(model, prompt, output);
    this.left.add(model, prompt, output);
    const cell = model * this.#regions + origin;
    this.metrics.arrive(cell, tier, prompt);
    if (tier !== TIER_NON_INTERACTIVE) this.demand.arrive(cell, prompt);
    else this.demand.defer(model, prompt);
  }

  reached(slot: number, pool: number): void {
    this.arrivedInPool[pool]++;
    this.tokensInPool[pool] += this.#requests.doubles[slot + PROMPT];
  }

  completed(slot: number, pool: number, nowMs: number): void {
    const { doubles, ints } = this.#requests;
    const output = doubles[slot + OUTPUT];
    const model = ints[slot + MODEL];
    const tier = ints[slot + TIER];
    const cell = model * this.#regions + ints[slot + ORIGIN];
    this.#leave(slot);
    this.endedAtMs = nowMs;
    this.completedInPool[pool]++;
    this.tokensInPool[pool] += output;
    if (tier !== TIER_NON_INTERACTIVE) this.demand.complete(cell, output);
    else this.demand.defer(model, output);
    this.metrics.complete(
      cell,
      tier,
      doubles[slot + ARRIVED_AT],
      doubles[slot + FIRST_TOKEN_AT],
      nowMs,
      output,
      doubles[slot + DEADLINE_AT],
      doubles[slot + SLOW],
    );
  }

  #leave(slot: number): void {
    const { doubles, ints } = this.#requests;
    this.ended++;
    this.left.remove(ints[slot + MODEL], doubles[slot + PROMPT], doubles[slot + OUTPUT]);
  }

  /** `servable` is what some instance of the fleet could have held. */
  rejected(slot: number, why: Rejection, servable: boolean, nowMs: number): void {
    const { doubles, ints } = this.#requests;
    this.#leave(slot);
    (servable ? this.refused : this.unservable).add(ints[slot + MODEL], doubles[slot + PROMPT], doubles[slot + OUTPUT]);
    this.endedAtMs = Math.max(this.endedAtMs, nowMs);
    this.rejectedFor[why]++;
    this.metrics.reject(ints[slot + MODEL] * this.#regions + ints[slot + ORIGIN], ints[slot + TIER]);
  }
}
