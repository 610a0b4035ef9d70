import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { compareStrategies, type ComparedRun, type PolicyChoice, preset } from 'sageserve';
import { cpuSeconds } from './measure.js';

/** What one run of one strategy came to. */
export interface OutcomeRun {
  readonly scenario: string;
  readonly strategy: string;
  readonly seed: number;
  readonly gpuHours: number;
  readonly wastedGpuHours: number;
  readonly usd: number;
  readonly fastSlo: number;
  readonly fastTtftP95Ms: number;
  readonly normalSlo: number;
  readonly normalTtftP95Ms: number;
  readonly deadlineMisses: number;
  readonly arrived: number;
  /** Requests that neither completed nor were rejected. */
  readonly unfinished: number;
  readonly rejected: number;
  readonly leftAtEnd: number;
  readonly actions: number;
  readonly forecastWape: number | undefined;
  readonly cpuSeconds: number;
  /** Options of the strategy that were tuned. */
  readonly setting?: string;
  /** Where the scenario was shortened. */
  readonly duration?: string;
}

export interface OutcomeTask {
  readonly scenario: string;
  /** What the run is called in tables. */
  readonly label: string;
  readonly strategy: PolicyChoice;
  /** Its options in short, where they were tuned. */
  readonly setting?: string;
  readonly seed: number;
  /** Shortens the scenario, for checks of the benchmark itself. */
  readonly duration?: string;
}

function outcomeOf(
  { scenario, label, setting, duration }: OutcomeTask,
  { result, seed, forecastWape }: ComparedRun,
  seconds: number,
): OutcomeRun {
  const [fast, normal, deferred] = [
    result.byTier['interactive-fast'],
    result.byTier['interactive-normal'],
    result.byTier['non-interactive'],
  ];
  return {
    scenario,
    strategy: label,
    seed: Number(seed),
    gpuHours: result.capacity.gpuHours,
    wastedGpuHours: result.capacity.wastedGpuHours,
    usd: result.capacity.costUsd,
    fastSlo: fast?.sloAttainment ?? NaN,
    fastTtftP95Ms: fast?.ttftMs.p95 ?? NaN,
    normalSlo: normal?.sloAttainment ?? NaN,
    normalTtftP95Ms: normal?.ttftMs.p95 ?? NaN,
    deadlineMisses: deferred?.deadlineMisses ?? 0,
    arrived: result.total.arrived,
    unfinished: result.total.unfinished,
    rejected: result.total.rejected,
    leftAtEnd: result.inFlightAtDurationEnd,
    actions: result.actions.scaleOut + result.actions.scaleIn,
    forecastWape,
    cpuSeconds: seconds,
    ...(setting === undefined ? {} : { setting }),
    ...(duration === undefined ? {} : { duration }),
  };
}

/** Runs one task in this process: what the child processes of {@link runAll} do. Prints JSON. */
export async function runOutcome(json: string): Promise<void> {
  const task = JSON.parse(json) as OutcomeTask;
  const base = preset(task.scenario);
  const start = cpuSeconds();
  const [run] = await compareStrategies(
    task.duration === undefined ? base : { ...base, duration: task.duration },
    [task.strategy],
    [task.seed],
  );
  const outcome = outcomeOf(task, run!, cpuSeconds() - start);
  const { arrived, unfinished, rejected } = outcome;
  if (run!.result.total.completed + unfinished + rejected !== arrived)
    throw new Error(`${arrived} requests arrived and do not add up`);
  console.log(JSON.stringify(outcome));
}

/** Runs tasks in processes of their own, two at a time, and tells of each on standard error. */
export async function runAll(tasks: readonly OutcomeTask[], atOnce = 2): Promise<OutcomeRun[]> {
  const results: OutcomeRun[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < tasks.length) {
      const at = next++;
      const task = tasks[at]!;
      results[at] = await inChild(task);
      const r = results[at];
      console.error(
        `  [${at + 1}/${tasks.length}] ${task.scenario}, seed ${task.seed}, ${task.label}: ` +
          `${Math.round(r.gpuHours).toLocaleString('en-US')} GPU-hours, IW-F ${(100 * r.fastSlo).toFixed(2)} %, ` +
          `${Math.round(r.cpuSeconds)} CPU-s`,
      );
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, tasks.length) }, worker));
  return results;
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
