import type { DeploymentPerformance } from '@sageserve/core';
import type { RequestTable } from './request-table.js';
import { RunningSet } from './running-set.js';
import { SlotHeap } from './slot-heap.js';

/** What an instance works with. */
export class Batch {
  readonly waiting = new SlotHeap();
  readonly running: RunningSet;
  performance: DeploymentPerformance;
  /**
   * Requests being prefilled and the tokens that the iteration takes of each, as many places as
   * were needed.
   */
  prefilling = new Int32Array(16);
  chunks = new Float64Array(16);
  prefillCount = 0;

  constructor(requests: RequestTable, performance: DeploymentPerformance) {
    this.running = new RunningSet(requests);
    this.performance = performance;
  }

  /** Adds a request to those being prefilled. */
  prefill(slot: number, chunk: number): void {
    const at = this.prefillCount++;
    if (at === this.prefilling.length) {
      const prefilling = new Int32Array(2 * at);
      const chunks = new Float64Array(2 * at);
      prefilling.set(this.prefilling);
      chunks.set(this.chunks);
      this.prefilling = prefilling;
      this.chunks = chunks;
    }
    this.prefilling[at] = slot;
    this.chunks[at] = chunk;
  }

  /** Takes out one of those being prefilled, by its place; the others keep their order. */
  takePrefill(place: number): number {
    const slot = this.prefilling[place];
    this.prefilling.copyWithin(place, place + 1, this.prefillCount);
    this.prefillCount--;
    return slot;
  }
}
