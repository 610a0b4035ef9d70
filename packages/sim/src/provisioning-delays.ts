import { maxOf, type ProvisioningDelay } from '@sageserve/core';
import { ACQUISITION_WAYS } from '@sageserve/metrics';

const WAYS = ACQUISITION_WAYS.length;
/** Provisioning delays that a measured delay looks back on. */
const REMEMBERED_DELAYS = 8;
/** The same of each way: so many that nine in ten of them mean something. */
const REMEMBERED_BY_WAY = 20;

/** How long each endpoint's last instances took from being asked for to being ready. */
export class ProvisioningDelays {
  /** By endpoint, oldest first. */
  readonly #all: number[][];
  /** By endpoint × way. */
  readonly #byWay: number[][];
  /** What is said of each endpoint, as long as nothing is added. */
  readonly #longestMs: (number | undefined)[];
  readonly #said: (readonly ProvisioningDelay[])[];

  constructor(endpoints: number) {
    this.#all = Array.from({ length: endpoints }, () => []);
    this.#byWay = Array.from({ length: endpoints * WAYS }, () => []);
    this.#longestMs = Array.from({ length: endpoints }, () => undefined);
    this.#said = Array.from({ length: endpoints }, () => []);
  }

  /** `way` is a position in `ACQUISITION_WAYS`. */
  add(endpoint: number, way: number, delayMs: number): void {
    remember(this.#all[endpoint], delayMs, REMEMBERED_DELAYS);
    remember(this.#byWay[endpoint * WAYS + way], delayMs, REMEMBERED_BY_WAY);
    this.#longestMs[endpoint] = maxOf(this.#all[endpoint]);
    this.#said[endpoint] = this.#sayByWay(endpoint);
  }

  /** The longest of an endpoint's last few; undefined before the first. */
  longestMs(endpoint: number): number | undefined {
    return this.#longestMs[endpoint];
  }

  /** The last ones apart for each way that was gone. */
  byWay(endpoint: number): readonly ProvisioningDelay[] {
    return this.#said[endpoint];
  }

  #sayByWay(endpoint: number): ProvisioningDelay[] {
    return ACQUISITION_WAYS.flatMap((way, w): ProvisioningDelay[] => {
      const delays = this.#byWay[endpoint * WAYS + w];
      if (way === 'initial' || delays.length === 0) return [];
      const sorted = delays.toSorted((a, b) => a - b);
      const at = (level: number): number => sorted[Math.ceil(level * sorted.length) - 1];
      return [{ way, count: sorted.length, medianMs: at(0.5), upperMs: at(0.9) }];
    });
  }
}

/** Adds to a list that keeps the last few, oldest first. */
function remember(list: number[], value: number, most: number): void {
  list.push(value);
  if (list.length > most) list.shift();
}
