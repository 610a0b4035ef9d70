import { ConfigError } from '@sageserve/core';
import type { SweepRun } from '../sweep/definition.js';
import { count, decimal, table } from './format.js';
import { coresOf } from './sweep.js';

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

/** The URL from the option or the environment. */
function urlOf(queue: string | undefined): string {
  if (queue === undefined || queue === '') throw new ConfigError('--queue', 'is needed: the URL of a PostgreSQL database, here or in SAGESERVE_QUEUE');
  return queue;
}

const nameOf = ({ scenario, strategy, seed }: Pick<SweepRun, 'scenario' | 'strategy' | 'seed'>): string => `${scenario}, ${strategy}, seed ${seed}`;

/** `sageserve worker`: takes runs from a queue. */
export async function workerCommand(options: WorkerOptions, version: string, signal: AbortSignal): Promise<void> {
  const { runQueueWorker } = await import('../queue/queue-worker.js');
  const cores = coresOf(options.cores);
  let runs = 0;
  console.error(`taking runs on ${cores} core${cores === 1 ? '' : 's'}${options.untilEmpty === true ? ' until there are none' : '; Ctrl-C to end'}`);
  await runQueueWorker(
    {
      url: urlOf(options.queue),
      version,
      cores,
      untilEmpty: options.untilEmpty === true,
      onRun(run, requests, busySeconds) {
        runs++;
        console.error(`${nameOf(run)}: ${count(requests)} requests in ${decimal(busySeconds, 1)} s`);
      },
      onFailure(run, message) {
        console.error(`${nameOf(run)} failed: ${message}`);
      },
      onFreed(freed) {
        console.error(`a worker died: ${freed === 1 ? 'its run is' : `its ${freed} runs are`} free again`);
      },
    },
    signal,
  );
  console.error(`${count(runs)} runs done; nothing is left`);
}

/** `sageserve queue status`. */
export async function queueStatusCommand(options: QueueOptions): Promise<void> {
  const { RunQueue } = await import('../queue/run-queue.js');
  const queue = await RunQueue.open(urlOf(options.queue));
  try {
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
        status.sweeps.map(({ sweep, runs, done, running, waiting, failed }) => [sweep, ...[runs, done, running, waiting, failed].map(count)]),
      ),
    );
    console.log(`\n${count(status.workers.length)} worker${status.workers.length === 1 ? '' : 's'} at work or ready`);
    for (const { host, pid, running } of status.workers) console.log(`  ${host}, process ${pid}: ${running} run${running === 1 ? '' : 's'}`);
    for (const { sweep, name, tries, error } of status.failed) console.log(`\n${sweep}: ${name} failed after ${tries} tries: ${error}`);
  } finally {
    await queue.close();
  }
}

/** `sageserve queue retry`. */
export async function queueRetryCommand(options: QueueOptions): Promise<void> {
  const { RunQueue } = await import('../queue/run-queue.js');
  const queue = await RunQueue.open(urlOf(options.queue));
  try {
    console.log(`${count(await queue.retry(options.sweep))} failed runs are tried again`);
  } finally {
    await queue.close();
  }
}

/** `sageserve queue cancel`. */
export async function queueCancelCommand(options: QueueOptions): Promise<void> {
  const { RunQueue } = await import('../queue/run-queue.js');
  const queue = await RunQueue.open(urlOf(options.queue));
  try {
    console.log(`${count(await queue.cancel(options.sweep))} runs were taken off the queue; runs under way end, and results stay`);
  } finally {
    await queue.close();
  }
}
