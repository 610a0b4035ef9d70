import {
  answered,
  messageOf,
  type Policy,
  PolicyContractError,
  SageServeError,
  SPECIFICATION_VERSION,
  type Stateful,
} from '@sageserve/core';

/**
 * What is known of a policy that somebody else wrote: its kind and name, and where it comes from.
 */
export interface Origin {
  readonly policy: string;
  /** Plug-in and file. */
  readonly origin: string;
}

export type Guard<T> = (made: T, about: Origin) => T;

/** Throws what a policy did, as its author is to read it. */
export function breach(
  { policy, origin }: Origin,
  broken: string,
  contract: string,
  cause?: unknown,
): PolicyContractError {
  return new PolicyContractError(policy, broken, contract, { origin, cause });
}

/** Calls a policy; what it throws is its author's to mend, whatever it is. */
export function call<T>(about: Origin, method: string, contract: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    throw blamed(cause, about, method, contract);
  }
}

/**
 * A breach may come from a policy within, and a history may be too short for a forecaster; whatever
 * else is thrown, an error of SageServe's own kinds too, is its author's.
 */
export function blamed(cause: unknown, about: Origin, method: string, contract: string): unknown {
  const passes =
    cause instanceof PolicyContractError ||
    (method === 'forecast' && cause instanceof SageServeError && cause.code === TOO_SHORT);
  return passes ? cause : breach(about, `threw in ${method}(): ${messageOf(cause)}`, contract, cause);
}

const TOO_SHORT = 'ERR_FORECAST_HISTORY';

export function requireMethod(made: unknown, method: string, about: Origin): void {
  if (typeof made !== 'object' || made === null)
    throw breach(about, `is ${answered(made)}`, 'A factory returns the policy, an object with its methods.');
  const value = (made as Readonly<Record<string, unknown>>)[method];
  if (typeof value !== 'function')
    throw breach(
      about,
      `has no method ${method}()${value === undefined ? '' : `: ${method} is ${answered(value)}`}`,
      `It has ${Object.keys(made).join(', ') || 'nothing'}.`,
    );
  const { specificationVersion = SPECIFICATION_VERSION } = made as Partial<Policy>;
  if (specificationVersion !== SPECIFICATION_VERSION)
    throw breach(
      about,
      `was made for version ${answered(specificationVersion)} of the interfaces`,
      `This is version ${SPECIFICATION_VERSION}: the policy needs a release of its package that is made for it.`,
    );
}

const MEMORY = 'save() returns { version, state }, and restore() takes it; a policy has both or none.';

/** A policy's memory, guarded as its other methods; nothing where it has none. */
export function memoryOf(policy: Partial<Stateful>, about: Origin): Partial<Stateful> {
  const { save, restore } = policy;
  if (save === undefined && restore === undefined) return {};
  if (typeof save !== 'function' || typeof restore !== 'function')
    throw breach(about, `has ${save === undefined ? 'restore' : 'save'} without the other`, MEMORY);
  return {
    save() {
      const saved = call(about, 'save', MEMORY, () => save.call(policy));
      if (typeof saved?.version !== 'number') throw breach(about, `answered with ${answered(saved)} in save()`, MEMORY);
      return saved;
    },
    restore: (saved) => call(about, 'restore', MEMORY, () => restore.call(policy, saved)),
  };
}

/** Whether a value is a number from one to the other: texts that read as numbers are none. */
export function isWithin(value: unknown, least: number, most: number): value is number {
  return typeof value === 'number' && value >= least && value <= most;
}
