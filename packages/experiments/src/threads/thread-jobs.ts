import { type Catalogue, DEFAULT_CATALOGUE, loadPlugins, type MeasuredCapacities } from '@sageserve/fleet';
import {
  buildSimulation,
  demandAround,
  type LowerBound,
  lowerBound,
  measureCapacity,
  type PreparationCache,
  type RunDemand,
  runTraffic,
  type Scenario,
} from '@sageserve/scenario';
import { BatchRing } from '@sageserve/trace';
import { type ComparedRun, compareOne, type RunToCompare } from '../compare/run-comparison.js';
import { type JournalHead, JournalFile } from '../output/journal-file.js';
import type { SweepTask } from '../sweep/definition.js';
import { runSweepTask, type SweepMeasures } from '../sweep/run-task.js';

/** A scenario, and the file that names of its plug-ins are relative to. */
interface OfScenario {
  readonly scenario: Scenario;
  readonly file: string | undefined;
}

interface CompareJob extends OfScenario {
  readonly run: Omit<RunToCompare, 'scenario'>;
  readonly record: boolean;
  /** Where the run's journal is written. */
  readonly journal: string | undefined;
}

/** What a thread can be asked, and what it answers. */
export interface ThreadJobs {
  readonly sweep: { readonly about: { readonly task: SweepTask }; readonly answer: SweepMeasures };
  readonly capacity: { readonly about: OfScenario; readonly answer: MeasuredCapacities };
  readonly demand: { readonly about: OfScenario & { readonly foresight: boolean }; readonly answer: RunDemand };
  readonly traffic: { readonly about: OfScenario & { readonly memory: SharedArrayBuffer }; readonly answer: undefined };
  readonly bound: { readonly about: OfScenario; readonly answer: LowerBound };
  readonly compare: { readonly about: CompareJob; readonly answer: ComparedRun };
}

export type ThreadJob<K extends keyof ThreadJobs = keyof ThreadJobs> = {
  [Kind in K]: { readonly kind: Kind } & ThreadJobs[Kind]['about'];
}[K];

/** What a thread answers, whatever it was asked. */
export type ThreadAnswer = ThreadJobs[keyof ThreadJobs]['answer'];

export interface JobOptions {
  readonly cache: PreparationCache;
  readonly signal: AbortSignal;
  /** Told of requests, and the share (0–1) of the job that is done, where it is known. */
  readonly onProgress: (requests: number, share: number | undefined) => void;
}

/** Does a job in this thread. Throws what it throws. */
export async function doJob(job: ThreadJob, options: JobOptions): Promise<ThreadAnswer> {
  const { cache, signal, onProgress } = options;
  if (job.kind === 'sweep') return runSweepTask(job.task, { cache, signal, onProgress });
  const { scenario } = job;
  const catalogue = await loadPlugins(scenario, job.file, DEFAULT_CATALOGUE);
  const onReading = (requests: number, share: number | undefined): undefined => {
    signal.throwIfAborted();
    onProgress(requests, share);
  };
  switch (job.kind) {
    case 'capacity':
      return measureCapacity(scenario, buildSimulation(scenario, 'static', catalogue), signal);
    case 'demand':
      return demandAround(scenario, job.foresight, { onReading });
    case 'traffic':
      return makeTraffic(scenario, new BatchRing(job.memory), signal);
    case 'bound':
      return lowerBound(scenario, { catalogue, signal, onReading });
    case 'compare':
      return compared(job, catalogue, options);
  }
}

/** A scenario's requests, for another thread to simulate. */
async function makeTraffic(scenario: Scenario, ring: BatchRing, signal: AbortSignal): Promise<undefined> {
  try {
    for await (const batch of (await runTraffic(scenario)).batches()) {
      signal.throwIfAborted();
      if (batch.length > 0 && !ring.put(batch)) break;
    }
  } finally {
    ring.end();
  }
  return undefined;
}

async function compared(
  { scenario, run, record, journal: path }: CompareJob,
  catalogue: Catalogue,
  { signal, onProgress }: JobOptions,
): Promise<ComparedRun> {
  const { strategy } = run;
  let startEpochMs: number | undefined;
  const head = (): JournalHead => ({
    kind: 'run',
    scenario: scenario.name,
    strategy,
    seed: scenario.seed,
    startEpochMs,
  });
  const journal = path === undefined ? undefined : new JournalFile(path, head);
  try {
    const done = await compareOne(
      { ...run, scenario },
      {
        catalogue,
        signal,
        record,
        onStart: (_strategy, _seed, epochMs) => (startEpochMs = epochMs),
        onProgress: (_strategy, _seed, { arrivedRequests }, share) => {
          onProgress(arrivedRequests, share);
        },
        ...(journal === undefined ? {} : { onJournal: (_strategy, _seed, entry) => journal.write(entry) }),
      },
    );
    journal?.finish();
    return done;
  } finally {
    journal?.close();
  }
}
