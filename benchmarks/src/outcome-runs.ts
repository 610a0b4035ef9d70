import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import {
  type Attainment,
  type ComparedRun,
  type ComparisonItem,
  ComparisonOnCores,
  equalBillUsd,
  RunPool,
  worstAttainment,
} from '@sageserve/experiments';
import { DEFAULT_CATALOGUE, type PolicyChoice } from '@sageserve/fleet';
import { needsCapacity, needsForesight, needsPlanning, preset, type Scenario } from '@sageserve/scenario';

/** What one run of one strategy came to. */
export interface OutcomeRun {
  readonly scenario: string;
  readonly strategy: string;
  readonly seed: number;
  /** Names the options, so that a run with others is another run. */
  readonly setting: string;
  readonly gpuHours: number;
  /** With what was left charged at the throughput of a saturated instance. */
  readonly equalGpuHours: number;
  /** With that charged as the strategy did the rest; null where nothing was done. */
  readonly ownRateGpuHours: number | null;
  readonly wastedGpuHours: number;
  /** With what was left charged too, as GPU-hours are. */
  readonly equalUsd: number;
  /** That and donated GPUs at their price, less what the donated earn as spot. */
  readonly equalBillUsd: number;
  readonly attainments: readonly Attainment[];
  readonly deadlineMisses: number;
  readonly arrived: number;
  /** Requests that neither completed nor were rejected. */
  readonly unfinished: number;
  readonly rejected: number;
  readonly leftAtEnd: number;
  readonly actions: number;
  readonly reversals: number;
  readonly forecastWape: number | undefined;
  /** Seconds that its thread was at work. */
  readonly cpuSeconds: number;
}

export interface OutcomeTask {
  readonly scenario: string;
  /** What the run is called in tables. */
  readonly label: string;
  readonly strategy: PolicyChoice;
  /** In place of the scenario's. */
  readonly forecaster?: string;
  readonly seed: number;
  /** Shortens the scenario. */
  readonly duration?: string;
}

/** What tells a task's options from others'. */
function settingOf({ strategy, forecaster, duration }: OutcomeTask): string {
  return JSON.stringify({ strategy, forecaster, duration });
}

/** The scenario that a task is about, with its changes. */
function scenarioOf({
  scenario,
  forecaster,
  duration,
}: Pick<OutcomeTask, 'scenario' | 'forecaster' | 'duration'>): Scenario {
  const base = preset(scenario);
  return {
    ...base,
    ...(duration === undefined ? {} : { duration }),
    ...(forecaster === undefined ? {} : { control: { ...base.control, forecaster } }),
  };
}

function outcomeOf(
  task: OutcomeTask,
  { result, seed, attainments, forecastWape }: ComparedRun,
  seconds: number,
): OutcomeRun {
  return {
    scenario: task.scenario,
    strategy: task.label,
    seed: Number(seed),
    setting: settingOf(task),
    gpuHours: result.capacity.gpuHours,
    equalGpuHours: result.atEqualWork.gpuHours,
    ownRateGpuHours: result.atOwnRate?.gpuHours ?? null,
    wastedGpuHours: result.capacity.wastedGpuHours,
    equalUsd: result.atEqualWork.costUsd,
    equalBillUsd: equalBillUsd({ result }),
    attainments,
    deadlineMisses: result.byTier['non-interactive']?.deadlineMisses ?? 0,
    arrived: result.total.arrived,
    unfinished: result.total.unfinished,
    rejected: result.total.rejected,
    leftAtEnd: result.inFlightAtDurationEnd,
    actions: result.actions.scaleOut + result.actions.scaleIn,
    reversals: result.actions.reversals,
    forecastWape,
    cpuSeconds: seconds,
  };
}

/** What a scenario's runs have in common, in whatever forecasts them. */
interface Shared {
  readonly onCores: ComparisonOnCores;
  readonly base: Scenario;
}

/** Makes runs on the threads of a pool, and tells of each on standard error. */
class OutcomeRunner {
  readonly #pool: RunPool<ComparisonItem>;
  readonly #signal = new AbortController().signal;
  readonly #shared = new Map<string, Shared>();

  constructor(pool: RunPool<ComparisonItem>) {
    this.#pool = pool;
  }

  async runAll(tasks: readonly OutcomeTask[], onRun: (run: OutcomeRun) => void): Promise<void> {
    let done = 0;
    await Promise.all(
      tasks.map(async (task) => {
        const run = await this.#run(task);
        onRun(run);
        const worst = worstAttainment(run.attainments)!;
        console.error(
          `  [${++done}/${tasks.length}] ${task.scenario}, seed ${task.seed}, ${task.label}: ` +
            `${Math.round(run.equalGpuHours).toLocaleString('en-US')} GPU-hours at equal work, worst ` +
            `${(100 * worst.attainment).toFixed(2)} % (${worst.modelId}, ${worst.tier}), ${Math.round(run.cpuSeconds)} s`,
        );
      }),
    );
  }

  async #run(task: OutcomeTask): Promise<OutcomeRun> {
    const { onCores, base } = this.#sharedBy(task);
    const { strategy: choice, label: strategy, seed } = task;
    const [capacity, demand] = await Promise.all([
      needsCapacity(base, choice) ? onCores.measured() : undefined,
      needsPlanning(base, choice)
        ? onCores.demand(seed, needsForesight(base, choice))
        : { history: [], foresight: undefined },
    ]);
    const { answer, busySeconds } = await this.#pool.run(
      { scenario: task.scenario, what: strategy, seed },
      {
        kind: 'compare',
        scenario: { ...scenarioOf(task), seed },
        file: undefined,
        run: { choice, strategy, foresight: needsForesight(base, choice), demand, capacity },
        record: false,
        journal: undefined,
      },
      this.#signal,
    );
    const outcome = outcomeOf(task, answer, busySeconds);
    const { arrived, unfinished, rejected } = outcome;
    if (answer.result.total.completed + unfinished + rejected !== arrived)
      throw new Error(`${strategy} on ${task.scenario}: ${arrived} requests arrived and do not add up`);
    return outcome;
  }

  /** What nothing can hold less than. */
  async bound(task: Omit<OutcomeTask, 'label' | 'strategy'>): Promise<number> {
    return (await this.#sharedBy(task).onCores.bound(task.seed)).gpuHours;
  }

  #sharedBy({ scenario, duration }: Pick<OutcomeTask, 'scenario' | 'duration'>): Shared {
    const key = `${scenario}/${duration}`;
    const known = this.#shared.get(key);
    if (known !== undefined) return known;
    const base = scenarioOf({ scenario, ...(duration === undefined ? {} : { duration }) });
    const options = { catalogue: DEFAULT_CATALOGUE, file: undefined, signal: this.#signal };
    const shared = { base, onCores: new ComparisonOnCores(this.#pool, base, options) };
    this.#shared.set(key, shared);
    return shared;
  }
}

/** Runs that were made are not made again, where there is a file to keep them in. */
export class OutcomeRuns {
  readonly #path: string | undefined;
  readonly #known = new Map<string, OutcomeRun>();
  readonly #bounds = new Map<string, number>();
  readonly #pool: RunPool<ComparisonItem>;
  readonly #runner: OutcomeRunner;

  private constructor(path: string | undefined, pool: RunPool<ComparisonItem>) {
    this.#path = path;
    this.#pool = pool;
    this.#runner = new OutcomeRunner(pool);
    if (path === undefined || !existsSync(path)) return;
    for (const line of readFileSync(path, 'utf8').split('\n')) {
      if (line.trim() === '') continue;
      const one = JSON.parse(line) as OutcomeRun | KeptBound;
      if ('bound' in one) this.#bounds.set(keyOfBound(one), one.bound);
      else this.#known.set(keyOf(one), one);
    }
  }

  /** `path` has one run in JSON a line. */
  static async open(path: string | undefined): Promise<OutcomeRuns> {
    return new OutcomeRuns(path, await RunPool.open<ComparisonItem>(availableParallelism()));
  }

  /** In the order of the tasks. */
  async of(tasks: readonly OutcomeTask[]): Promise<OutcomeRun[]> {
    const fresh = tasks.filter((task) => !this.#known.has(keyOfTask(task)));
    await this.#runner.runAll(fresh, (run) => {
      this.#known.set(keyOf(run), run);
      this.#keep(run);
    });
    return tasks.map((task) => this.#known.get(keyOfTask(task))!);
  }

  /** GPU-hours that nothing can hold less than. */
  async bound(scenario: string, seed: number, duration: string | undefined): Promise<number> {
    const about = { scenario, seed, ...(duration === undefined ? {} : { duration }) };
    const known = this.#bounds.get(keyOfBound(about));
    if (known !== undefined) return known;
    const bound = await this.#runner.bound(about);
    this.#bounds.set(keyOfBound(about), bound);
    this.#keep({ ...about, bound });
    return bound;
  }

  #keep(line: OutcomeRun | KeptBound): void {
    if (this.#path !== undefined) appendFileSync(this.#path, `${JSON.stringify(line)}\n`);
  }

  async close(): Promise<void> {
    await this.#pool.close();
  }
}

interface KeptBound {
  readonly scenario: string;
  readonly seed: number;
  readonly duration?: string;
  readonly bound: number;
}

const keyOfBound = ({ scenario, seed, duration }: Omit<KeptBound, 'bound'>): string =>
  `${scenario}/${seed}/${duration}`;
const keyOf = (run: Pick<OutcomeRun, 'scenario' | 'strategy' | 'seed' | 'setting'>): string =>
  `${run.scenario}/${run.strategy}/${run.seed}/${run.setting}`;
const keyOfTask = (task: OutcomeTask): string =>
  keyOf({ scenario: task.scenario, strategy: task.label, seed: task.seed, setting: settingOf(task) });
