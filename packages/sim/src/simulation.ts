import { ConfigError, IndexedMinHeap, InvariantError, MS_PER_DAY, MS_PER_MIN, Pacer } from '@sageserve/core';
import type { RequestBatch, TraceStream } from '@sageserve/trace';
import { instanceSlots, type ResolvedConfig, resolveConfig, type SimulationConfig } from './config.js';
import { ControlHost } from './control-host.js';
import { countCapacity, type CountedCapacity, countRequests } from './count-capacity.js';
import { SimDispatchHost } from './dispatch-host.js';
import type { FleetActions } from './fleet-actions.js';
import { IncidentHost } from './incident-host.js';
import { incidentSteps } from './incidents.js';
import { cameGpuHours, doneWork, type LeftWork, leftWork } from './left-work.js';
import type { SimulationObserver, SimulationProgress, SimulationResult } from './results.js';

/** Requests that have not ended this long after the last arrival are reported as unfinished. */
const DRAIN_LIMIT_MS = 2 * MS_PER_DAY;
/** Events between two looks at the clock of this machine. */
const EVENTS_PER_LOOK = 256;

export interface SimulateOptions extends SimulationObserver {
  readonly signal?: AbortSignal;
  /**
   * Check the invariants at every simulated minute and at the end (O(fleet + requests in flight)
   * each time).
   */
  readonly audit?: boolean;
}

/**
 * Replays a stream of requests against a fleet in virtual time. Throws `ConfigError` for a fleet
 * that cannot work or a trace that names regions or models which the fleet does not have, and the
 * signal's reason when aborted.
 */
export async function simulate(
  config: SimulationConfig,
  trace: TraceStream,
  options: SimulateOptions = {},
): Promise<SimulationResult> {
  const simulation = new Simulation(resolveConfig(config), trace, options);
  for await (const batch of trace.batches()) {
    options.signal?.throwIfAborted();
    for (let next = 0; (next = simulation.consume(batch, next)) < batch.length;) await simulation.goOn();
    const pause = options.onProgress?.(simulation.progress());
    if (pause !== undefined) await pause;
  }
  options.signal?.throwIfAborted();
  return simulation.finish();
}

/** The clock and the order of events; what happens in them is the hosts'. */
class Simulation {
  readonly #config: ResolvedConfig;
  readonly #trace: TraceStream;
  readonly #options: SimulateOptions;
  /** Ends of iterations, by instance. */
  readonly #events: IndexedMinHeap;
  readonly #stage: SimDispatchHost;
  readonly #control: ControlHost;
  readonly #incidents: IncidentHost;
  readonly #pacer = new Pacer(EVENTS_PER_LOOK);
  #nowMs = 0;
  /** A tick of the control loop is what comes next: it is awaited outside of the event loop. */
  #controlDue = false;
  /** This thread has been kept for a while: others are to have their turn. */
  #turnDue = false;
  #nextScalingAtMs: number;
  #nextReadingAtMs: number;
  #nextSampleAtMs = MS_PER_MIN;
  /** The earliest of what comes by the clock. */
  #nextTickAtMs: number;
  #lastArrivalMs = 0;
  /** No arrival comes after it. */
  readonly #untilMs: number;
  #counted:
    | (CountedCapacity & {
        inFlight: number;
        left: LeftWork[];
        cameGpuHours: number;
        durationMs: number;
        actions: FleetActions;
      })
    | undefined;

  constructor(config: ResolvedConfig, trace: TraceStream, options: SimulateOptions) {
    this.#config = config;
    this.#trace = trace;
    this.#options = options;
    this.#untilMs = config.durationMs ?? Infinity;
    this.#events = new IndexedMinHeap(instanceSlots(config));
    const stage = new SimDispatchHost(config, trace.dictionaries, this.#events, options);
    this.#stage = stage;
    this.#nextScalingAtMs = config.scalingIntervalMs;
    this.#nextReadingAtMs = stage.lag?.nextAtMs ?? Infinity;
    this.#incidents = new IncidentHost(
      incidentSteps(
        config.incidents,
        config.regions,
        config.skus.map((sku) => sku.skuId),
      ),
      stage,
    );
    this.#control = new ControlHost(config, stage, this.#incidents, () => this.#nowMs);
    this.#nextTickAtMs = this.#earliestTick();
  }

  /**
   * Awaits what stopped the events: a tick of the control loop that is due, or a turn for others.
   */
  async goOn(): Promise<void> {
    if (this.#turnDue || this.#pacer.due) {
      this.#turnDue = false;
      await this.#pacer.turn(this.#options.signal);
    }
    if (!this.#controlDue) return;
    this.#controlDue = false;
    await this.#control.tick();
    this.#nextTickAtMs = this.#earliestTick();
  }

  progress(): SimulationProgress {
    return {
      simulatedMs: this.#nowMs,
      arrivedRequests: this.#stage.sequence,
      endedRequests: this.#stage.account.ended,
    };
  }

  /**
   * Takes in a batch from position `from` on and runs everything that happens up to its last
   * arrival. Returns where it stopped: before its end where something has to be awaited.
   */
  consume(batch: RequestBatch, from: number): number {
    const arrivals = batch.arrivedAtMs;
    for (let i = from; i < batch.length; i++) {
      const atMs = arrivals[i];
      // Written so that NaN fails too.
      if (!(atMs >= this.#lastArrivalMs)) throw tooEarly(this.#stage.sequence, atMs, this.#lastArrivalMs);
      this.#runBefore(atMs);
      if (this.#controlDue || this.#turnDue) return i;
      this.#lastArrivalMs = atMs;
      this.#nowMs = atMs;
      this.#stage.arrive(batch, i, atMs);
    }
    return batch.length;
  }

  /** Runs what is still in the system to its end. */
  async finish(): Promise<SimulationResult> {
    const stage = this.#stage;
    const durationMs = Math.max(this.#config.durationMs ?? 0, this.#lastArrivalMs);
    for (this.#runBefore(durationMs); this.#controlDue || this.#turnDue; this.#runBefore(durationMs)) await this.goOn();
    this.#nowMs = durationMs;
    // The last minute is sampled too, whole or not.
    if (durationMs > this.#nextSampleAtMs - MS_PER_MIN) this.#sample(durationMs);
    stage.account.metrics.endGoodput();
    this.#options.onDemand?.(stage.account.demand.series(durationMs, this.#trace.startEpochMs ?? 0));
    this.#counted = {
      ...countCapacity(this.#config, stage.fleet, durationMs),
      inFlight: stage.live,
      left: leftWork(this.#config, stage.account, doneWork(this.#config, stage, durationMs)),
      cameGpuHours: cameGpuHours(this.#config, stage.account),
      durationMs,
      actions: structuredClone(stage.fleet.actions),
    };
    const limitMs = durationMs + DRAIN_LIMIT_MS;
    while (stage.live > 0 && (this.#step(limitMs) || this.#controlDue))
      if (this.#pacer.due || this.#controlDue) await this.goOn();
    if (this.#options.audit === true) stage.audit(this.#nowMs);
    return this.#result();
  }

  /**
   * Runs every event that comes before an arrival at `atMs`: at equal times the arrival goes first.
   */
  #runBefore(atMs: number): void {
    if (atMs > this.#untilMs) throw tooLate(atMs, this.#untilMs);
    while (this.#step(atMs)) {
      if (!this.#pacer.due) continue;
      this.#turnDue = true;
      return;
    }
  }

  /**
   * Carries out the next event before `limitMs`, in the order (time, transit, provisioning,
   * iteration, reading, scaling, sample, incident, control). Returns whether there was one that
   * could be carried out here: a tick of the control loop is left to who called, and `#controlDue`
   * says so. One method with all of them: what happens a million times is then inlined into it, and
   * it into nothing.
   */
  #step(limitMs: number): boolean {
    const stage = this.#stage;
    const iterationAtMs = this.#events.peekKey();
    const transitAtMs = stage.transit.topKey();
    const readyAtMs = stage.fleet.becomingReady.peekKey();
    const nextMs = Math.min(iterationAtMs, transitAtMs, readyAtMs, this.#nextTickAtMs);
    if (nextMs >= limitMs) return false;
    if (nextMs < this.#nowMs) throw wentBack(this.#nowMs, nextMs);
    this.#nowMs = nextMs;
    if (transitAtMs === nextMs) {
      stage.land(nextMs);
      return true;
    }
    if (readyAtMs === nextMs) {
      stage.dispatcher.drain(stage.fleet.finishProvisioning(stage.fleet.becomingReady.peek(), nextMs), nextMs);
      return true;
    }
    if (iterationAtMs === nextMs) {
      stage.engine.advance(this.#events.peek(), nextMs);
      return true;
    }
    if (this.#nextReadingAtMs === nextMs) {
      stage.lag!.read(nextMs);
      this.#nextReadingAtMs = stage.lag!.nextAtMs;
    } else if (this.#nextScalingAtMs === nextMs) {
      this.#nextScalingAtMs += this.#config.scalingIntervalMs;
      stage.dispatcher.releaseAll(nextMs);
      this.#control.scale(nextMs);
    } else if (this.#nextSampleAtMs === nextMs) {
      this.#nextSampleAtMs += MS_PER_MIN;
      this.#sample(nextMs);
    } else if (this.#incidents.nextAtMs === nextMs) {
      this.#incidents.happen(nextMs);
    } else {
      this.#controlDue = true;
      return false;
    }
    this.#nextTickAtMs = this.#earliestTick();
    return true;
  }

  #earliestTick(): number {
    return Math.min(
      this.#nextScalingAtMs,
      this.#nextSampleAtMs,
      this.#nextReadingAtMs,
      this.#incidents.nextAtMs,
      this.#control.nextAtMs,
    );
  }

  #sample(nowMs: number): void {
    const { account, telemetry, topology, heldRequests } = this.#stage;
    telemetry.observeDemand(account.tokensInPool);
    account.tokensInPool.fill(0);
    account.demand.minute(nowMs, this.#incidents.lastSeen === undefined);
    if (this.#options.audit === true) this.#stage.audit(nowMs);
    if (this.#options.onSample === undefined || this.#counted !== undefined) return;
    for (const [e, endpoint] of telemetry.snapshot(nowMs).endpoints.entries()) {
      const pool = topology.poolOfEndpoint[e];
      this.#options.onSample({
        timeMs: nowMs,
        endpointId: endpoint.endpointId,
        readyInstances: endpoint.readyInstances!,
        provisioningInstances: endpoint.provisioningInstances!,
        drainingInstances: endpoint.drainingInstances!,
        kvCacheUtilization: endpoint.kvCacheUtilization,
        runningRequests: endpoint.runningRequests ?? 0,
        queuedRequests: endpoint.queuedRequests ?? 0,
        heldRequests: heldRequests.count[topology.modelOfPool[pool]],
        arrivedRequests: account.arrivedInPool[pool],
        completedRequests: account.completedInPool[pool],
      });
    }
    account.arrivedInPool.fill(0);
    account.completedInPool.fill(0);
  }

  #result(): SimulationResult {
    const { inFlight, left, cameGpuHours: came, ...counted } = this.#counted!;
    const leftGpuHours = left.reduce((sum, { gpuHours }) => sum + gpuHours, 0);
    const { account, engine } = this.#stage;
    return {
      durationMs: counted.durationMs,
      endedAtMs: Math.max(account.endedAtMs, this.#lastArrivalMs),
      ...countRequests(this.#config, account.metrics, counted.durationMs),
      rejectedNoRegion: account.rejectedFor['no-region'],
      rejectedTooLong: account.rejectedFor['too-long'],
      inFlightAtDurationEnd: inFlight,
      leftWork: left,
      servedAway: account.servedAway,
      rerouted: account.rerouted,
      capacity: counted.capacity,
      atEqualWork: {
        gpuHours: counted.capacity.gpuHours + leftGpuHours,
        costUsd: left.reduce((sum, { costUsd }) => sum + costUsd, counted.capacity.costUsd),
      },
      ...(leftGpuHours < came || came === 0
        ? { atOwnRate: { gpuHours: counted.capacity.gpuHours / (came === 0 ? 1 : 1 - leftGpuHours / came) } }
        : {}),
      spotGpuHours: counted.spotGpuHours,
      bill: counted.bill,
      endpoints: counted.endpoints,
      actions: counted.actions,
      preemptions: engine.preemptions,
      iterations: engine.iterations,
    };
  }
}

// Apart from the event loop: what is inlined into it is what it does every time.

function tooEarly(sequence: number, atMs: number, lastMs: number): InvariantError {
  return new InvariantError(`arrival ${sequence} at ${atMs} ms comes before the one at ${lastMs} ms`);
}

function tooLate(atMs: number, durationMs: number): ConfigError {
  return new ConfigError(
    'durationMs',
    `the trace has an arrival at ${atMs} ms, after the end of the run at ${durationMs} ms`,
  );
}

function wentBack(fromMs: number, toMs: number): InvariantError {
  return new InvariantError(`time went back from ${fromMs} to ${toMs} ms`);
}
