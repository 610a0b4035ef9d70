import {
  messageOf,
  type PlacementPlan,
  SageServeError,
  type SavedState,
  stateFromText,
  stateOfVersion,
  type StateStore,
  type StateStoreOptions,
  stateText,
} from '@sageserve/core';
import type { Acting } from './acts.js';
import type { Ground } from './degradations.js';
import { orAborted } from './or-aborted.js';

/** What a loop remembers between two ticks, but for its plans. */
export interface LoopState {
  readonly nextTickAtMs: number;
  readonly nextReactAtMs: number;
  readonly nextPlanAtMs: number;
  readonly told: ReadonlyMap<string, string>;
  readonly open: ReadonlyMap<string, Ground>;
  /** Until when nothing is scaled in after a memory was lost; −Infinity where none was. */
  readonly noScaleInBeforeMs: number;
  /** The scaling policy's, where it has one. */
  readonly policy: SavedState | undefined;
  readonly acting: Acting | undefined;
}

/** What changes with each plan. */
export interface PlanState {
  readonly plan: PlacementPlan | undefined;
  readonly planning: SavedState | undefined;
}

const VERSION = 1;
const LOOP_KEY = 'control-loop';
const PLAN_KEY = 'control-plan';

/** Keeps what a loop remembers in a store, as often as something of it changes. */
export class LoopMemory {
  readonly #store: StateStore | undefined;
  /** What was kept last, without the times, which change with every tick. */
  #kept: string | undefined;
  #planKept: PlanState['plan'] | undefined;
  readonly #failures = new Map<string, string>();
  /** Whether somebody with a newer fence has kept something meanwhile. */
  isFenced = false;

  constructor(store: StateStore | undefined) {
    this.#store = store;
  }

  /** What could not be kept, in words. */
  get degradations(): readonly string[] {
    return [...this.#failures.values()];
  }

  /**
   * Keeps the state where anything but its times has changed since it was kept last. Rejects never.
   */
  async keep(state: LoopState, options: StateStoreOptions): Promise<void> {
    if (this.#store === undefined) return;
    const { nextTickAtMs: _tick, nextReactAtMs: _react, nextPlanAtMs: _plan, ...lasting } = state;
    const kept = stateText(lasting);
    if (kept === this.#kept) return;
    if (await this.#save(LOOP_KEY, state, options)) this.#kept = kept;
  }

  /** Keeps a plan, and what later ones fall back on. Rejects never. */
  async keepPlan(state: PlanState, options: StateStoreOptions): Promise<void> {
    if (this.#store === undefined) return;
    if (await this.#save(PLAN_KEY, state, options)) this.#planKept = state.plan;
  }

  /** Whether a plan in force is yet to be kept. */
  planIsNew(plan: PlacementPlan | undefined): boolean {
    return this.#store !== undefined && plan !== this.#planKept;
  }

  /** What was kept; `undefined` where nothing was. Rejects where it can't be read. */
  async recall(options: StateStoreOptions): Promise<{ loop: LoopState | undefined; plans: PlanState | undefined }> {
    const loop = (await this.#load(LOOP_KEY, options)) as LoopState | undefined;
    const plans = (await this.#load(PLAN_KEY, options)) as PlanState | undefined;
    this.#kept = undefined;
    this.isFenced = false;
    this.#planKept = plans?.plan;
    return { loop, plans };
  }

  async #load(key: string, options: StateStoreOptions): Promise<unknown> {
    const text = await orAborted(this.#store?.load(key, options), options.signal);
    return text === undefined
      ? undefined
      : stateOfVersion('the control loop', stateFromText(text) as SavedState, VERSION);
  }

  async #save(key: string, state: unknown, options: StateStoreOptions): Promise<boolean> {
    try {
      await orAborted(this.#store!.save(key, stateText({ version: VERSION, state }), options), options.signal);
      this.#failures.delete(key);
      return true;
    } catch (error) {
      this.isFenced ||= error instanceof SageServeError && error.code === 'ERR_FENCED';
      this.#failures.set(key, `what the loop remembers can't be kept (${messageOf(error)}): a restart forgets it`);
      return false;
    }
  }
}
