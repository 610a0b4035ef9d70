import { spawn } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  type Attainment,
  compareStrategies,
  type ComparedRun,
  type PolicyChoice,
  preset,
  type Scenario,
  worstAttainment,
} from 'sageserve';
import { cpuSeconds } from './measure.js';

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
  readonly wastedGpuHours: number;
  readonly heldUsd: number;
  /** Held and donated GPUs at their price, less what the donated earn as spot. */
  readonly netUsd: number;
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
function scenarioOf({ scenario, forecaster, duration }: OutcomeTask): Scenario {
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
    wastedGpuHours: result.capacity.wastedGpuHours,
    heldUsd: result.bill.heldUsd,
    netUsd: result.bill.netUsd,
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

/** Runs one task in this process: what the child processes of {@link runAll} do. Prints JSON. */
export async function runOutcome(json: string): Promise<void> {
  const task = JSON.parse(json) as OutcomeTask;
  const scenario = scenarioOf(task);
  const start = cpuSeconds();
  const [run] = await compareStrategies(scenario, [task.strategy], [task.seed]);
  const outcome = outcomeOf(task, run!, cpuSeconds() - start);
  const { arrived, unfinished, rejected } = outcome;
  if (run!.result.total.completed + unfinished + rejected !== arrived)
    throw new Error(`${arrived} requests arrived and do not add up`);
  console.log(JSON.stringify(outcome));
}

/** Runs tasks in processes of their own, two at a time, and tells of each on standard error. */
async function runAll(tasks: readonly OutcomeTask[], atOnce = 2): Promise<OutcomeRun[]> {
  const results: OutcomeRun[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < tasks.length) {
      const at = next++;
      const task = tasks[at]!;
      const run = await inChild(task);
      results[at] = run;
      const worst = worstAttainment(run.attainments)!;
      console.error(
        `  [${at + 1}/${tasks.length}] ${task.scenario}, seed ${task.seed}, ${task.label}: ` +
          `${Math.round(run.equalGpuHours).toLocaleString('en-US')} GPU-hours at equal work, worst ` +
          `${(100 * worst.attainment).toFixed(2)} % (${worst.modelId}, ${worst.tier}), ${Math.round(run.cpuSeconds)} CPU-s`,
      );
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, tasks.length) }, worker));
  return results;
}

/** Runs what a file of runs does not have yet, and adds it there, one JSON a line. */
export function cachedRuns(path: string | undefined): (tasks: readonly OutcomeTask[]) => Promise<OutcomeRun[]> {
  const keyOf = (run: { scenario: string; strategy: string; seed: number; setting: string }): string =>
    `${run.scenario}/${run.strategy}/${run.seed}/${run.setting}`;
  const keyOfTask = (task: OutcomeTask): string =>
    keyOf({ scenario: task.scenario, strategy: task.label, seed: task.seed, setting: settingOf(task) });
  const known = new Map<string, OutcomeRun>();
  if (path !== undefined && existsSync(path)) {
    for (const line of readFileSync(path, 'utf8').split('\n')) {
      if (line.trim() === '') continue;
      const one = JSON.parse(line) as OutcomeRun;
      known.set(keyOf(one), one);
    }
  }
  return async (tasks) => {
    const fresh = tasks.filter((task) => !known.has(keyOfTask(task)));
    // In small parts, so that what is done stays done.
    for (let at = 0; at < fresh.length; at += 4) {
      for (const one of await runAll(fresh.slice(at, at + 4))) {
        known.set(keyOf(one), one);
        if (path !== undefined) appendFileSync(path, `${JSON.stringify(one)}\n`);
      }
    }
    return tasks.map((task) => known.get(keyOfTask(task))!);
  };
}

function inChild(task: OutcomeTask): Promise<OutcomeRun> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [
      fileURLToPath(new URL('bench.js', import.meta.url)),
      '--run-outcome',
      JSON.stringify(task),
    ]);
    let out = '';
    let error = '';
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (error += chunk.toString()));
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(JSON.parse(out) as OutcomeRun);
      else reject(new Error(`${task.label} on ${task.scenario} ended with ${String(code)}: ${error}`));
    });
  });
}
