import { type Awaitable, type BatchStore, createRng } from '@sageserve/core';
import { interleave } from './batch-interleaving.js';
import { keepingCases } from './batch-keeping.js';
import { workingCases } from './batch-working.js';
import type { ConformanceCase } from './conformance-case.js';

/**
 * What every store of batches must do. `open` opens a store on an empty place; `reopen` opens
 * another on the place that `open` opened last, as the next process or another worker does.
 */
export function batchStoreConformance(
  open: () => Awaitable<BatchStore>,
  reopen: () => Awaitable<BatchStore>,
): ConformanceCase[] {
  return [
    ...keepingCases(open, reopen),
    ...workingCases(open, reopen),
    {
      name: 'ends every item once, whatever several workers do in whatever order',
      async run() {
        for (let seed = 0; seed < 8; seed++) {
          const rng = createRng(`batch-store/${seed}`);
          const first = await open();
          await interleave([first, await reopen()], rng);
        }
      },
    },
  ];
}
