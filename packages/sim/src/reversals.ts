import { MS_PER_MIN } from '@sageserve/core';

/** A scale-in is undone where its endpoint grows again this soon after. */
const WITHIN_MS = 10 * MS_PER_MIN;

/** Knows of instances that an endpoint gave up and asked for again within ten minutes. */
export class Reversals {
  /**
   * By endpoint: when each instance was given up that has not been asked for again, oldest first.
   */
  readonly #givenUpAtMs: number[][];

  constructor(endpoints: number) {
    this.#givenUpAtMs = Array.from({ length: endpoints }, () => []);
  }

  scaledIn(endpoint: number, instances: number, nowMs: number): void {
    const times = this.#recent(endpoint, nowMs);
    for (let i = 0; i < instances; i++) times.push(nowMs);
  }

  /** How many of the instances that are asked for were given up of late. */
  scaledOut(endpoint: number, instances: number, nowMs: number): number {
    const times = this.#recent(endpoint, nowMs);
    const undone = Math.min(instances, times.length);
    times.length -= undone;
    return undone;
  }

  #recent(endpoint: number, nowMs: number): number[] {
    const times = this.#givenUpAtMs[endpoint];
    const first = times.findIndex((atMs) => nowMs - atMs <= WITHIN_MS);
    times.splice(0, first === -1 ? times.length : first);
    return times;
  }
}
