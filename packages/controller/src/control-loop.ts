import {
  type ActuationResult,
  type CallOptions,
  ConfigError,
  DEFAULT_CADENCES,
  type EndpointSnapshot,
  type FleetSnapshot,
  messageOf,
  MS_PER_MIN,
  orAborted,
  type PlacementPlan,
  PolicyContractError,
  SCALING_CONTRACT,
  scalingBreach,
  type ScalingDecision,
  type StateStoreOptions,
  type TickOptions,
} from '@sageserve/core';
import type { ActContext, Acting } from './act-context.js';
import { Acts } from './acts.js';
import type { ControlLoopOptions, ControlTickReport, MultiTimescaleLoop } from './control-loop-options.js';
import { Degradations } from './degradations.js';
import { copyOf } from './fleet-copy.js';
import { freshOnly } from './freshness.js';
import { JournalWriter } from './journal-writer.js';
import { LoopMemory } from './loop-memory.js';
import { PlanJob } from './plan-job.js';
import { unlimitedSteps } from './plan-steps.js';
import { MAX_PLAN_AGE_MS, Planning, type PlanOutcome } from './planning.js';
import { SoundDecisions } from './sound-decisions.js';
import { storeOptions, type Tenure, tenure } from './tenure.js';

/** Times since 1970 are told apart by a quarter of it. */
const SHORTEST_CADENCE_MS = 0.001;
const ROUNDING = 1e-9;
/** How soon a plan that could not be made is tried again. */
const RETRY_MS = 5 * MS_PER_MIN;
/** For how long nothing is scaled in after what was remembered is lost. */
const AMNESIA_MS = 15 * MS_PER_MIN;

const OUTLIVED = 'the last plan is too old: scaling is reactive only';

const NO_DECISIONS: readonly ScalingDecision[] = [];
const NO_RESULTS: readonly ActuationResult[] = [];
const NONE: readonly string[] = [];

/**
 * The multi-timescale loop of the paper (arXiv 2502.14617, §5–6), passive: a host calls `tick` at
 * `nextTickAtMs`. It observes, asks the scaling policy, and every hour forecasts demand and solves
 * for a plan, beside the ticks where the host does not ask to wait for it. A tick never throws
 * because of what it depends on; it degrades one step and says so: forecasts and plans as
 * {@link PlanningOptions} say; stale telemetry holds everything, so that nothing is scaled in on
 * old news; a journal that can't be written keeps its entries, and nothing is scaled in meanwhile;
 * what can't be kept is told. Throws `ConfigError` for cadences that do not fit, and `approve`
 * without a queue.
 */
export function createControlLoop(options: ControlLoopOptions): MultiTimescaleLoop {
  return new Loop(options);
}

class Loop implements MultiTimescaleLoop {
  readonly #options: ControlLoopOptions;
  readonly #reactMs: number;
  readonly #observeMs: number;
  readonly #planMs: number;
  readonly #staleAfterMs: number;
  readonly #firstTickAtMs: number;
  readonly #isStrict: boolean;
  readonly #planning: Planning | undefined;
  readonly #journal: JournalWriter;
  readonly #degraded: Degradations;
  readonly #acts: Acts;
  readonly #memory: LoopMemory;
  readonly #sound = new SoundDecisions();
  #plan: PlacementPlan | undefined;
  #job: PlanJob | undefined;
  #nextTickAtMs: number;
  #nextReactAtMs: number;
  #nextPlanAtMs: number;
  #acting: Acting | undefined;
  /** The last plan was given up for its age; `undefined` where there is one, or never was. */
  #outlived: string | undefined;
  #hostFailure: string | undefined;
  #noScaleInBeforeMs = -Infinity;
  /** What was remembered could not be read: why, in words, until a while has passed since. */
  #amnesia: string | undefined;

  constructor(options: ControlLoopOptions) {
    const { mode = 'act', approvals, firstTickAtMs = 0, onBreach = 'degrade' } = options;
    const { staleAfterMs = 2 * MS_PER_MIN, actDeadlineMs = MS_PER_MIN } = options;
    const {
      reactMs = DEFAULT_CADENCES.reactMs,
      observeMs = reactMs,
      planMs = DEFAULT_CADENCES.planMs,
    } = options.cadences ?? {};
    for (const [name, value] of Object.entries({ observeMs, reactMs, planMs }))
      if (!(value >= SHORTEST_CADENCE_MS && value < Infinity))
        throw new ConfigError(`cadences.${name}`, `must be ${SHORTEST_CADENCE_MS} milliseconds or more, not ${value}`);
    const looks = reactMs / observeMs;
    // Of lengths that are no sums of halves the quotient is rounded.
    if (Math.abs(looks - Math.round(looks)) > ROUNDING * looks)
      throw new ConfigError('cadences.reactMs', `must be a multiple of observeMs (${observeMs}), not ${reactMs}`);
    for (const [name, value] of Object.entries({ staleAfterMs, actDeadlineMs }))
      if (!(value > 0)) throw new ConfigError(name, `must be above 0, not ${value}`);
    if (mode === 'approve' && approvals === undefined)
      throw new ConfigError('approvals', 'is needed for the mode "approve"', {
        hint: 'Make one with createApprovalQueue().',
      });
    this.#options = options;
    this.#reactMs = reactMs;
    this.#observeMs = observeMs;
    this.#planMs = planMs;
    this.#staleAfterMs = staleAfterMs;
    this.#firstTickAtMs = firstTickAtMs;
    this.#isStrict = onBreach === 'throw';
    this.#planning = options.planning === undefined ? undefined : new Planning(options.planning, this.#isStrict);
    this.#journal = new JournalWriter(options.journal);
    this.#degraded = new Degradations(this.#journal);
    this.#acts = new Acts(options.actuator, mode, approvals, this.#journal, actDeadlineMs);
    this.#memory = new LoopMemory(options.state);
    this.#nextTickAtMs = this.#nextReactAtMs = this.#nextPlanAtMs = firstTickAtMs;
    const { signal } = options;
    signal?.addEventListener('abort', () => this.#job?.end(signal.reason), { once: true });
  }

  get nextTickAtMs(): number {
    return this.#nextTickAtMs;
  }

  get plan(): PlacementPlan | undefined {
    return this.#plan;
  }

  async restore(options: CallOptions = {}): Promise<void> {
    const { scalingPolicy, approvals } = this.#options;
    try {
      this.#job?.end(new Error('what another loop remembers takes the place of what this one planned'));
      this.#job = undefined;
      this.#memory.isRead = false;
      await orAborted(approvals?.open(options), options.signal);
      const { loop, plans } = await this.#memory.recall(options);
      this.#amnesia = undefined;
      this.#noScaleInBeforeMs = -Infinity;
      if (loop === undefined) return;
      if (loop.policy !== undefined) scalingPolicy.restore?.(loop.policy);
      this.#nextTickAtMs = loop.nextTickAtMs;
      this.#nextReactAtMs = loop.nextReactAtMs;
      this.#nextPlanAtMs = loop.nextPlanAtMs;
      this.#acts.restore(loop.acts);
      this.#degraded.restore(loop.open);
      this.#noScaleInBeforeMs = loop.noScaleInBeforeMs;
      this.#acting = loop.acting;
      if (plans?.planning !== undefined) this.#planning?.restore(plans.planning);
      this.#adopt(plans?.plan);
    } catch (error) {
      this.#options.signal?.throwIfAborted();
      // It is counted from the first time.
      const since = this.#amnesia === undefined ? Infinity : this.#noScaleInBeforeMs;
      this.#amnesia =
        `what the loop remembered can't be read (${messageOf(error)}): it begins anew, ` +
        `and nothing is scaled in for ${AMNESIA_MS / MS_PER_MIN} minutes`;
      this.#noScaleInBeforeMs = since;
    }
  }

  async tick(nowMs: number, options: TickOptions = {}): Promise<ControlTickReport> {
    const under = tenure(options.lease);
    // What could not be read is asked for again, before it would be overwritten.
    if (this.#amnesia !== undefined && !this.#memory.isRead) await this.restore(options);
    const react = nowMs >= this.#nextReactAtMs;
    const plan = this.#planning !== undefined && nowMs >= this.#nextPlanAtMs;
    const nextTickAtMs =
      nowMs >= this.#nextTickAtMs ? after(nowMs, this.#firstTickAtMs, this.#observeMs) : this.#nextTickAtMs;
    if (react) this.#nextReactAtMs = after(nowMs, this.#firstTickAtMs, this.#reactMs);
    if (this.#noScaleInBeforeMs === Infinity) this.#noScaleInBeforeMs = nowMs + AMNESIA_MS;
    let fleet = await this.#look(nowMs, options);
    let decisions = NO_DECISIONS;
    let results = NO_RESULTS;
    let planned = false;
    if (fleet !== undefined) {
      if (this.#acting !== undefined) {
        results = await this.#acts.resume(this.#acting, this.#context(fleet, nowMs, options, under));
        this.#acting = undefined;
        this.#degraded.update('acts', this.#acts.degradations, nowMs);
        fleet = await this.#look(nowMs, options);
      }
    }
    if (fleet !== undefined) {
      // A plan that was missed while nothing could be seen is made as soon as something can.
      planned = await this.#planAhead(plan, fleet, nowMs, options);
      this.#forgetOldPlan(nowMs);
      if (react) {
        decisions = this.#ask(fleet, nowMs);
        const made = await this.#acts.carryOut(decisions, this.#context(fleet, nowMs, options, under));
        results = results.length === 0 ? made : [...results, ...made];
        this.#acting = undefined;
        this.#degraded.update('acts', this.#acts.degradations, nowMs);
      }
    }
    this.#nextTickAtMs = nextTickAtMs;
    if (!under.isLost()) await this.#settle(nowMs, options, under.fence);
    return { atMs: nowMs, decisions, results, degradations: this.#degraded.all, planned };
  }

  /** The fleet as it is, or `undefined` where it can't be acted on, and says why. */
  async #look(nowMs: number, options: TickOptions): Promise<FleetSnapshot | undefined> {
    const { telemetry } = this.#options;
    const signal = options.signal ?? this.#options.signal;
    let fleet: FleetSnapshot | undefined;
    let stale: string | undefined;
    try {
      const seen = await orAborted(telemetry.snapshot(signal === undefined ? {} : { signal }), signal);
      if (!(nowMs - seen.takenAtMs <= this.#staleAfterMs)) stale = 'telemetry is stale: everything is held as it is';
      // One dark region does not hold the others.
      else ({ fleet, stale } = freshOnly(seen, nowMs, this.#staleAfterMs));
    } catch (error) {
      this.#options.signal?.throwIfAborted();
      stale = `telemetry can't be read (${messageOf(error)}): everything is held as it is`;
    }
    this.#degraded.update('telemetry', stale === undefined ? NONE : [stale], nowMs);
    return fleet;
  }

  /**
   * Starts a plan that is due, and takes one that is done. Returns whether one has come to its end.
   */
  async #planAhead(due: boolean, fleet: FleetSnapshot, nowMs: number, options: TickOptions): Promise<boolean> {
    const { telemetry, signal } = this.#options;
    const planning = this.#planning;
    if (planning === undefined) return false;
    const job = this.#job;
    if (job !== undefined) {
      job.tell(nowMs);
      if (!job.done) return false;
      this.#job = undefined;
      this.#takePlan(job.take(), nowMs);
      return true;
    }
    if (!due) return false;
    this.#nextPlanAtMs = after(nowMs, this.#firstTickAtMs, this.#planMs);
    if (options.awaitPlan === true) {
      this.#takePlan(await planning.plan(telemetry, fleet, nowMs, unlimitedSteps(signal)), nowMs);
      return true;
    }
    // The snapshot is the host's once this tick is over.
    const seen = copyOf(fleet);
    this.#job = new PlanJob((steps) => planning.plan(telemetry, seen, nowMs, steps), nowMs, planning.stepDeadlineMs);
    return false;
  }

  #takePlan(outcome: PlanOutcome, nowMs: number): void {
    this.#degraded.update('planning', outcome.degradations, nowMs);
    if (outcome.entry !== undefined) this.#journal.write(outcome.entry);
    // One that could not be made is tried again soon, not after a whole period.
    else this.#nextPlanAtMs = Math.min(this.#nextPlanAtMs, nowMs + RETRY_MS);
    this.#adopt(outcome.plan);
  }

  #adopt(plan: PlacementPlan | undefined): void {
    if (plan === this.#plan) return;
    this.#plan = plan;
    this.#hostFailure = undefined;
    try {
      this.#options.onPlan?.(plan);
    } catch (error) {
      this.#hostFailure = `the host did not take the plan (${messageOf(error)})`;
    }
  }

  /** Lets go of a plan that nobody could renew. */
  #forgetOldPlan(nowMs: number): void {
    const isOld = this.#plan !== undefined && nowMs - this.#plan.validFromMs > MAX_PLAN_AGE_MS;
    if (isOld) this.#adopt(undefined);
    if (isOld || this.#plan !== undefined) this.#outlived = isOld ? OUTLIVED : undefined;
    const now = [this.#outlived, this.#hostFailure].filter((what) => what !== undefined);
    this.#degraded.update('plan', now, nowMs);
  }

  /** What the policy decides: nothing where it throws, and nothing that can't be acted on. */
  #ask(fleet: FleetSnapshot, nowMs: number): readonly ScalingDecision[] {
    const { scalingPolicy } = this.#options;
    try {
      const decisions = scalingPolicy.decide(fleet, this.#plan, nowMs);
      if (this.#isStrict) {
        const breach = scalingBreach(decisions, fleet);
        if (breach !== undefined)
          throw new PolicyContractError(`scaling policy "${scalingPolicy.name}"`, breach, SCALING_CONTRACT);
        this.#degraded.update('policy', NONE, nowMs);
        return decisions;
      }
      const judged = this.#sound.judge(scalingPolicy.name, decisions, fleet);
      this.#degraded.update('policy', judged.told, nowMs);
      return judged.decisions;
    } catch (error) {
      if (this.#isStrict && error instanceof PolicyContractError) throw error;
      const what = `${scalingPolicy.name} failed (${messageOf(error)}): nothing is decided`;
      this.#degraded.update('policy', [what], nowMs);
      return NO_DECISIONS;
    }
  }

  #context(fleet: FleetSnapshot, nowMs: number, { signal }: TickOptions, under: Tenure): ActContext {
    const ended = this.#options.signal;
    return {
      fleet,
      nowMs,
      signal: signal ?? ended,
      ended,
      ...under,
      plannedOf: (endpoint) => this.#plannedOf(endpoint),
      noScaleInBeforeMs: this.#noScaleInBeforeMs,
      keep: async (acting) => {
        this.#acting = acting;
        return this.#keep(storeOptions(signal, under.fence));
      },
    };
  }

  /** What the plan in force says of an endpoint. */
  #plannedOf(endpoint: EndpointSnapshot): number | undefined {
    const plan = this.#plan;
    if (plan === undefined) return undefined;
    const m = plan.models.indexOf(endpoint.modelId);
    const r = plan.regions.indexOf(endpoint.regionId);
    const k = plan.skus.indexOf(endpoint.skuId);
    return m === -1 || r === -1 || k === -1 ? undefined : plan.target.at(m, r, k);
  }

  /**
   * Keeps what is remembered. Returns whether this controller may still act, as far as the store
   * knows.
   */
  async #keep(options: StateStoreOptions): Promise<boolean> {
    const { state, scalingPolicy } = this.#options;
    if (state === undefined) return true;
    if (this.#memory.planIsNew(this.#plan)) await this.#memory.keepPlan(this.#plan, this.#planning, options);
    await this.#memory.keep(
      {
        nextTickAtMs: this.#nextTickAtMs,
        nextReactAtMs: this.#nextReactAtMs,
        // A plan that is under way would be lost with the process.
        nextPlanAtMs: this.#job?.startedAtMs ?? this.#nextPlanAtMs,
        acts: this.#acts.save(),
        open: this.#degraded.save(),
        noScaleInBeforeMs: this.#noScaleInBeforeMs,
        policy: () => scalingPolicy.save?.(),
        acting: this.#acting,
      },
      options,
    );
    return !this.#memory.isFenced;
  }

  /** Brings journal and memory up to date at the end of a tick. */
  async #settle(nowMs: number, options: TickOptions, fence: number | undefined): Promise<void> {
    const { approvals, state } = this.#options;
    if (this.#amnesia !== undefined && nowMs >= this.#noScaleInBeforeMs) {
      this.#amnesia = undefined;
      // What could not be had in all that time is given up.
      this.#memory.isRead = true;
    }
    if (this.#journal.exists) {
      await this.#journal.flush(options.signal);
      const { failure } = this.#journal;
      this.#degraded.update('journal', failure === undefined ? NONE : [failure], nowMs);
    }
    if (state === undefined && approvals === undefined) return;
    const kept = storeOptions(options.signal, fence);
    const lost = this.#amnesia === undefined ? [] : [this.#amnesia];
    try {
      await orAborted(approvals?.keep(kept), kept.signal);
    } catch (error) {
      // A tick whose time is over waits for no answer, even where there is nothing to write.
      if (approvals?.isKept === false)
        lost.push(`proposals can't be kept (${messageOf(error)}): a restart forgets them`);
    }
    await this.#keep(kept);
    this.#degraded.update('state', [...lost, ...this.#memory.degradations], nowMs);
  }
}

/** The first multiple of a cadence after `nowMs`, counted from the first tick. */
function after(nowMs: number, firstMs: number, everyMs: number): number {
  const passed = Math.floor((nowMs - firstMs) / everyMs);
  const next = firstMs + (passed + 1) * everyMs;
  // Of a length that is no sum of halves the quotient may be rounded below the multiple that it is.
  return next > nowMs ? next : firstMs + (passed + 2) * everyMs;
}
