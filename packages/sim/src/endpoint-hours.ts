import { ACQUISITION_WAYS, type HeldTime, StepIntegrals } from '@sageserve/metrics';

/** Integrals kept for each endpoint: ready, draining, busy, then provisioning by way. */
const READY = 0;
const DRAINING = 1;
const BUSY = 2;
const PROVISIONING = 3;
const PER_ENDPOINT = PROVISIONING + ACQUISITION_WAYS.length;

/** How long instances of each endpoint were ready, draining, busy and provisioning, to the ms. */
export class EndpointHours {
  readonly #held: StepIntegrals;

  constructor(endpoints: number) {
    this.#held = new StepIntegrals(endpoints * PER_ENDPOINT);
  }

  /** So many more are ready from now on, fewer where `delta` is negative; so with the others. */
  ready(endpoint: number, delta: number, nowMs: number): void {
    this.#held.add(endpoint * PER_ENDPOINT + READY, delta, nowMs);
  }

  draining(endpoint: number, delta: number, nowMs: number): void {
    this.#held.add(endpoint * PER_ENDPOINT + DRAINING, delta, nowMs);
  }

  busy(endpoint: number, delta: number, nowMs: number): void {
    this.#held.add(endpoint * PER_ENDPOINT + BUSY, delta, nowMs);
  }

  /** `way` is a position in `ACQUISITION_WAYS`. */
  provisioning(endpoint: number, way: number, delta: number, nowMs: number): void {
    this.#held.add(endpoint * PER_ENDPOINT + PROVISIONING + way, delta, nowMs);
  }

  /** Instance-milliseconds from the start to `nowMs`. */
  until(endpoint: number, nowMs: number): Omit<HeldTime, 'gpusPerInstance' | 'usdPerGpuHour'> {
    const at = endpoint * PER_ENDPOINT;
    return {
      readyMs: this.#held.integral(at + READY, nowMs),
      drainingMs: this.#held.integral(at + DRAINING, nowMs),
      busyMs: this.#held.integral(at + BUSY, nowMs),
      provisioningMs: ACQUISITION_WAYS.map((_, way) => this.#held.integral(at + PROVISIONING + way, nowMs)),
    };
  }
}
