import {
  askDatabase,
  count,
  decimal,
  plural,
  RunQueue,
  runQueueWorker,
  type SweepRun,
  table,
} from '@sageserve/experiments';
import { holdForOthers } from '../ending.js';
import { urlOf } from './queue-url.js';
import { coresOf } from './cores.js';

export interface QueueOptions {
  readonly queue?: string;
  readonly sweep?: string;
  readonly json?: boolean;
}

export interface WorkerOptions {
  readonly queue?: string;
  readonly cores?: string;
  readonly untilEmpty?: boolean;
}

const nameOf = ({ scenario, strategy, seed }: Pick<SweepRun, 'scenario' | 'strategy' | 'seed'>): string =>
  `${scenario}, ${strategy}, seed ${seed}`;

/** `sageserve worker`: takes runs from a queue. */
export async function workerCommand(options: WorkerOptions, version: string, signal: AbortSignal): Promise<void> {
  const cores = coresOf(options.cores);
  let runs = 0;
  console.error(
    'taking runs on ' +
      `${plural(cores, 'core')}${options.untilEmpty === true ? ' until there are none' : '; Ctrl-C to end'}`,
  );
  await runQueueWorker(
    {
      url: urlOf(options.queue),
      version,
      cores,
      untilEmpty: options.untilEmpty === true,
      onHold: holdForOthers,
      onRun(run, requests, busySeconds) {
        runs++;
        console.error(`${nameOf(run)}: ${count(requests)} requests in ${decimal(busySeconds, 1)} s`);
      },
      onFailure(run, message) {
        console.error(`${nameOf(run)} failed: ${message}`);
      },
      onFreed(freed) {
        console.error(`a worker died: ${plural(freed, 'run')} free again`);
      },
      onElsewhere(waiting) {
        console.error(
          `${plural(waiting, 'run')} left to workers whose Node computes otherwise than ${process.version} here: ` +
            'their figures would differ',
        );
      },
    },
    signal,
  );
  console.error(`${plural(runs, 'run')} done; nothing is left`);
}

async function withQueue(url: string | undefined, action: (queue: RunQueue) => Promise<void>): Promise<void> {
  const address = urlOf(url);
  const queue = await RunQueue.open(address);
  try {
    await askDatabase(address, () => action(queue));
  } finally {
    await queue.close();
  }
}

/** `sageserve queue status`. */
export function queueStatusCommand(options: QueueOptions): Promise<void> {
  return withQueue(options.queue, async (queue) => {
    const status = await queue.status();
    if (options.json === true) {
      console.log(JSON.stringify(status, null, 2));
      return;
    }
    if (status.sweeps.length === 0) {
      console.log('nothing was put on this queue');
      return;
    }
    console.log(
      table(
        ['sweep', 'runs', 'done', 'running', 'waiting', 'failed'],
        status.sweeps.map(({ sweep, runs, done, running, waiting, failed }) => [
          sweep,
          ...[runs, done, running, waiting, failed].map(count),
        ]),
      ),
    );
    console.log(`\n${plural(status.workers.length, 'worker')} at work or ready`);
    for (const { host, pid, running } of status.workers)
      console.log(`  ${host}, process ${pid}: ${plural(running, 'run')}`);
    for (const { sweep, name, tries, error } of status.failed)
      console.log(`\n${sweep}: ${name} failed after ${tries} tries: ${error}`);
  });
}

/** `sageserve queue retry`. */
export function queueRetryCommand(options: QueueOptions): Promise<void> {
  return withQueue(options.queue, async (queue) => {
    console.log(`to be tried again: ${plural(await queue.retry(options.sweep), 'failed run')}`);
  });
}

/** `sageserve queue cancel`. */
export function queueCancelCommand(options: QueueOptions): Promise<void> {
  return withQueue(options.queue, async (queue) => {
    console.log(
      `taken off the queue: ${plural(await queue.cancel(options.sweep), 'run')}; what is under way ends, and ` +
        'results stay',
    );
  });
}
