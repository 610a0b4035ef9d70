import { InvariantError } from '@sageserve/core';
import type { ResolvedConfig } from './config.js';
import { type SpotLot, SpotPool } from './spot-pool.js';

/**
 * The GPUs of each cell (region × SKU), and the donated instances on them. Endpoints, draining and
 * donated instances hold GPUs.
 */
export class GpuHosts {
  readonly regionOf: Int32Array;
  readonly modelOf: Int32Array;
  /** GPUs held, by cell. */
  readonly inUse: Float64Array;
  readonly spot: SpotPool;
  readonly #config: ResolvedConfig;
  readonly #skuOf: Int32Array;

  constructor(config: ResolvedConfig) {
    const { endpoints, regions, skus, models } = config;
    this.#config = config;
    this.regionOf = Int32Array.from(endpoints, (e) => regions.indexOf(e.region));
    this.#skuOf = Int32Array.from(endpoints, (e) => skus.findIndex((sku) => sku.skuId === e.sku));
    this.modelOf = Int32Array.from(endpoints, (e) => models.indexOf(e.model));
    this.inUse = new Float64Array(regions.length * skus.length);
    this.spot = new SpotPool(regions.length * skus.length);
  }

  cell(region: number, sku: number): number {
    return region * this.#config.skus.length + sku;
  }

  cellOf(endpoint: number): number {
    return this.cell(this.regionOf[endpoint], this.#skuOf[endpoint]);
  }

  skuOf(endpoint: number): ResolvedConfig['skus'][number] {
    return this.#config.skus[this.#skuOf[endpoint]];
  }

  /** An endpoint holds the GPUs of one more instance. */
  hold(endpoint: number): void {
    this.inUse[this.cellOf(endpoint)] += this.#config.endpoints[endpoint].gpusPerInstance;
  }

  /** An endpoint gives the GPUs of an instance back to the cloud. */
  giveBack(endpoint: number): void {
    this.inUse[this.cellOf(endpoint)] -= this.#config.endpoints[endpoint].gpusPerInstance;
  }

  /** What holds an instance's GPUs is a donated one from now on, with these weights. */
  donate(endpoint: number, model: number, nowMs: number): void {
    this.spot.put(this.cellOf(endpoint), model, this.#config.endpoints[endpoint].gpusPerInstance, nowMs);
  }

  /** The GPUs of a donated instance are an endpoint's again. */
  takeBack(endpoint: number, lot: SpotLot, nowMs: number): void {
    this.spot.take(this.cellOf(endpoint), lot, nowMs);
  }

  /** How many new hosts an endpoint could have, also in the place of donated instances. */
  newHosts(endpoint: number): number {
    const cell = this.cellOf(endpoint);
    const held = this.inUse[cell] - this.spot.gpus(cell);
    return Math.floor((this.#capacity(endpoint) - held) / this.#config.endpoints[endpoint].gpusPerInstance);
  }

  /**
   * An endpoint gets a new host; donated instances go where GPUs are short, and no more than must.
   */
  holdNew(endpoint: number, nowMs: number): void {
    const cell = this.cellOf(endpoint);
    const { gpusPerInstance } = this.#config.endpoints[endpoint];
    while (this.inUse[cell] + gpusPerInstance > this.#capacity(endpoint)) {
      const given = this.spot.lots(cell).find((lot) => lot.count > 0);
      if (given === undefined) throw new InvariantError('donated GPUs do not add up');
      this.#lose(cell, given, nowMs);
    }
    this.hold(endpoint);
  }

  /** Takes away up to `count` donated instances of a region and SKU; returns how many. */
  loseSpot(region: number, sku: number, count: number, nowMs: number): number {
    const cell = this.cell(region, sku);
    let lost = 0;
    for (const lot of this.spot.lots(cell)) for (; lot.count > 0 && lost < count; lost++) this.#lose(cell, lot, nowMs);
    return lost;
  }

  #lose(cell: number, lot: SpotLot, nowMs: number): void {
    this.spot.take(cell, lot, nowMs);
    this.inUse[cell] -= lot.gpus;
  }

  #capacity(endpoint: number): number {
    return this.#config.gpuCapacity[this.regionOf[endpoint]][this.#skuOf[endpoint]];
  }
}
