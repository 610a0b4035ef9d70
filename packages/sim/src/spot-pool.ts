import { StepIntegrals } from '@sageserve/metrics';

/**
 * Donated instances of one region and SKU that hold one model's weights on the same number of GPUs.
 */
export interface SpotLot {
  readonly model: number;
  readonly gpus: number;
  count: number;
}

/**
 * The spot pool: donated instances by cell (region × SKU), which keep their weights, earn, and can
 * be had back.
 */
export class SpotPool {
  readonly #lots: SpotLot[][];
  readonly #time: StepIntegrals;

  constructor(cells: number) {
    this.#lots = Array.from({ length: cells }, () => []);
    this.#time = new StepIntegrals(cells);
  }

  /** Lots of a cell; those without an instance stay, and count 0. */
  lots(cell: number): readonly SpotLot[] {
    return this.#lots[cell];
  }

  put(cell: number, model: number, gpus: number, nowMs: number): void {
    const lot = this.#lots[cell].find((l) => l.model === model && l.gpus === gpus);
    if (lot === undefined) this.#lots[cell].push({ model, gpus, count: 1 });
    else lot.count++;
    this.#time.add(cell, gpus, nowMs);
  }

  take(cell: number, lot: SpotLot, nowMs: number): void {
    lot.count--;
    this.#time.add(cell, -lot.gpus, nowMs);
  }

  /** Donated instances of a cell by model, on however many GPUs. */
  byModel(cell: number): ReadonlyMap<number, number> {
    const byModel = new Map<number, number>();
    for (const lot of this.#lots[cell]) byModel.set(lot.model, (byModel.get(lot.model) ?? 0) + lot.count);
    return byModel;
  }

  gpus(cell: number): number {
    return this.#lots[cell].reduce((sum, lot) => sum + lot.count * lot.gpus, 0);
  }

  /** GPU-milliseconds that a cell's instances have earned. */
  gpuMs(cell: number, nowMs: number): number {
    return this.#time.integral(cell, nowMs);
  }
}
