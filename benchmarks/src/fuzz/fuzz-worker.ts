import { parentPort, workerData } from 'node:worker_threads';
import type { FuzzOutcome } from './outcome.js';
import { fuzzOne } from './targets.js';

/** What a thread is to do: inputs from `from` on, every `stride`-th, until it is ended. */
export interface FuzzJob {
  readonly target: string;
  readonly seed: string;
  readonly from: number;
  readonly stride: number;
  readonly until: number;
  readonly folder: string;
  /** The input that the thread is at, so that whoever watches knows which one never ends. */
  readonly at: Float64Array;
}

export type FuzzMessage =
  | { readonly counts: Readonly<Record<string, number>> }
  | { readonly fault: FuzzOutcome; readonly index: number }
  | { readonly done: true };

const { target, seed, from, stride, until, folder, at } = workerData as FuzzJob;
const tell = (message: FuzzMessage): void => parentPort!.postMessage(message);
let counts: Record<string, number> = {};
let told = 0;
for (let index = from; index < until; index += stride) {
  at[0] = index;
  at[1]!++;
  const outcome = await fuzzOne(target, seed, index, folder);
  if (outcome.kind !== 'taken' && outcome.kind !== 'refused') tell({ fault: outcome, index });
  const name = outcome.kind === 'refused' ? `refused ${outcome.detail}` : outcome.kind;
  counts[name] = (counts[name] ?? 0) + 1;
  if (++told % 100 === 0) {
    tell({ counts });
    counts = {};
  }
}
tell({ counts });
tell({ done: true });
