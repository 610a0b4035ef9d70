import { IndexedMinHeap, InvariantError } from '@sageserve/core';

/** States of a slot; those of an instance that there is are above {@link FREE}. */
export const FREE = 0;
export const PROVISIONING = 1;
export const READY = 2;
export const DRAINING = 3;

/** Every instance that there is or may be: columns by slot, of which a free one means nothing. */
export class InstanceTable {
  readonly state: Uint8Array;
  readonly endpointOf: Int32Array;
  /** How it was had: a position in `ACQUISITION_WAYS`. */
  readonly way: Uint8Array;
  /** Model whose weights it held before it was asked for, −1 where it is on a new host. */
  readonly previousModel: Int32Array;
  /** Its place in the order in which all of them were asked for. */
  readonly order: Float64Array;
  readonly requestedAtMs: Float64Array;
  /** 1 where its host is being taken away: it drains and is not put back or donated. */
  readonly evicted: Uint8Array;
  /** When each provisioning instance becomes ready. */
  readonly becomingReady: IndexedMinHeap;
  readonly #freeSlots: number[] = [];
  #asked = 0;

  constructor(limit: number) {
    this.state = new Uint8Array(limit);
    this.endpointOf = new Int32Array(limit).fill(-1);
    this.way = new Uint8Array(limit);
    this.previousModel = new Int32Array(limit).fill(-1);
    this.order = new Float64Array(limit);
    this.requestedAtMs = new Float64Array(limit);
    this.evicted = new Uint8Array(limit);
    this.becomingReady = new IndexedMinHeap(limit);
    for (let slot = limit - 1; slot >= 0; slot--) this.#freeSlots.push(slot);
  }

  get freeSlots(): number {
    return this.#freeSlots.length;
  }

  /** A slot for an instance that is asked for now. */
  take(endpoint: number, way: number, previousModel: number, nowMs: number): number {
    const instance = this.#freeSlots.pop();
    if (instance === undefined) throw new InvariantError('more instances than the endpoints may have');
    this.endpointOf[instance] = endpoint;
    this.state[instance] = PROVISIONING;
    this.way[instance] = way;
    this.previousModel[instance] = previousModel;
    this.order[instance] = this.#asked++;
    this.requestedAtMs[instance] = nowMs;
    return instance;
  }

  release(instance: number): void {
    this.state[instance] = FREE;
    this.endpointOf[instance] = -1;
    this.evicted[instance] = 0;
    this.#freeSlots.push(instance);
  }
}
