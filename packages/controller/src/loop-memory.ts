import {
  messageOf,
  orAborted,
  type PlacementPlan,
  SageServeError,
  type SavedState,
  stateFromText,
  type Stateful,
  stateOfVersion,
  type StateStore,
  type StateStoreOptions,
  stateText,
} from '@sageserve/core';
import type { Acting, ActsState } from './act-context.js';
import type { Ground } from './degradations.js';

/** What a loop remembers between two ticks, but for its plans. */
export interface LoopState {
  readonly nextTickAtMs: number;
  readonly nextReactAtMs: number;
  readonly nextPlanAtMs: number;
  readonly acts: ActsState;
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
  /** What was kept last of each key, without the times, which change with every tick. */
  readonly #marks = new Map<string, string>();
  /** Keys of which a save is under way. */
  readonly #unanswered = new Set<string>();
  #planKept: PlanState['plan'] | undefined;
  readonly #failures = new Map<string, string>();
  /** Whether somebody with a newer fence has kept something meanwhile. */
  isFenced = false;
  /**
   * Whether what was kept before has been read, or nobody asked for it: nothing takes its place
   * unseen.
   */
  isRead = true;

  constructor(store: StateStore | undefined) {
    this.#store = store;
  }

  /** What could not be kept, in words. */
  get degradations(): readonly string[] {
    return [...this.#failures.values()];
  }

  /**
   * Keeps the state where anything but its times has changed since it was kept last. What the
   * policy remembers is asked for here, so that one that can't say is a failure to keep. Rejects
   * never.
   */
  async keep(
    state: Omit<LoopState, 'policy'> & { readonly policy: () => SavedState | undefined },
    options: StateStoreOptions,
  ): Promise<void> {
    await this.#save(LOOP_KEY, options, () => {
      const whole: LoopState = { ...state, policy: state.policy() };
      const { nextTickAtMs: _tick, nextReactAtMs: _react, nextPlanAtMs: _plan, ...lasting } = whole;
      return { state: whole, mark: stateText(lasting) };
    });
  }

  /** Keeps a plan, and what later ones fall back on. Rejects never. */
  async keepPlan(
    plan: PlacementPlan | undefined,
    planning: Pick<Stateful, 'save'> | undefined,
    options: StateStoreOptions,
  ): Promise<void> {
    const make = (): { state: PlanState; mark: undefined } => ({
      state: { plan, planning: planning?.save() },
      mark: undefined,
    });
    if (await this.#save(PLAN_KEY, options, make)) {
      this.#planKept = plan;
      // When the next plan is due has changed with it.
      this.#marks.delete(LOOP_KEY);
    }
  }

  /** Whether a plan in force is yet to be kept. */
  planIsNew(plan: PlacementPlan | undefined): boolean {
    return this.#store !== undefined && plan !== this.#planKept;
  }

  /** What was kept; `undefined` where nothing was. Rejects where it can't be read. */
  async recall(options: StateStoreOptions): Promise<{ loop: LoopState | undefined; plans: PlanState | undefined }> {
    this.isRead = false;
    let loop: LoopState | undefined;
    let plans: PlanState | undefined;
    try {
      loop = (await this.#load(LOOP_KEY, options)) as LoopState | undefined;
      plans = (await this.#load(PLAN_KEY, options)) as PlanState | undefined;
    } catch (error) {
      // What is there and makes no sense is given up; what could not be asked for is not.
      this.isRead = error instanceof SageServeError && error.code === 'ERR_STATE';
      throw error;
    }
    this.isRead = true;
    this.#marks.clear();
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

  /** One save of a key at a time: one that was not answered is waited for, and then made again. */
  async #save(
    key: string,
    options: StateStoreOptions,
    make: () => { readonly state: unknown; readonly mark: string | undefined },
  ): Promise<boolean> {
    const store = this.#store;
    if (store === undefined || !this.isRead) return false;
    try {
      const { state, mark } = make();
      if (mark !== undefined && mark === this.#marks.get(key)) return true;
      if (this.#unanswered.has(key)) throw new Error('a save before it was not answered yet');
      const saving = Promise.resolve(store.save(key, stateText({ version: VERSION, state }), options));
      this.#unanswered.add(key);
      // What comes of one that is given up is not known: the next is made whatever has changed.
      this.#marks.delete(key);
      const done = (): void => {
        this.#unanswered.delete(key);
      };
      saving.then(done, done);
      await orAborted(saving, options.signal);
      if (mark !== undefined) this.#marks.set(key, mark);
      this.#failures.delete(key);
      return true;
    } catch (error) {
      this.isFenced ||= error instanceof SageServeError && error.code === 'ERR_FENCED';
      this.#failures.set(key, `what the loop remembers can't be kept (${messageOf(error)}): a restart forgets it`);
      return false;
    }
  }
}
