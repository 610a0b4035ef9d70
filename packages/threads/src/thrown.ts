import { messageOf, SageServeError } from '@sageserve/core';

/** Where errors of SageServe carry the names of their classes, in every copy of the package. */
const KINDS = Symbol.for('sageserve.error.kinds');
/** Errors below errors that are told. */
const MOST_CAUSES = 8;

/** What was thrown in a thread, as it can be posted to another. */
export interface Thrown {
  /** An error without what is its class's own, or whatever else was thrown. */
  readonly value: unknown;
  readonly name?: string;
  /** Names of its classes, of an error of SageServe. */
  readonly kinds?: readonly string[];
  /** An error's own fields, such as `code` and `hint`, without those that can't be posted. */
  readonly fields?: Readonly<Record<string, unknown>>;
  readonly cause?: Thrown;
}

/** Makes what was thrown fit for another thread. Never throws. */
export function packThrown(thrown: unknown, causes = MOST_CAUSES): Thrown {
  try {
    if (!(thrown instanceof Error)) return { value: structuredClone(thrown) };
    const bare = new Error(thrown.message);
    const { name, stack, cause } = thrown;
    Object.assign(bare, { name, stack });
    const kinds = (thrown as { readonly [KINDS]?: unknown })[KINDS];
    return {
      value: structuredClone(bare),
      name,
      fields: Object.fromEntries(Object.entries(thrown).filter(([field, value]) => field !== 'cause' && posts(value))),
      ...(Array.isArray(kinds) ? { kinds: kinds.map(String) } : {}),
      ...(cause === undefined || causes === 0 ? {} : { cause: packThrown(cause, causes - 1) }),
    };
  } catch {
    return { value: new Error(messageOf(thrown)), name: 'Error' };
  }
}

/**
 * What was thrown, in this thread: errors of SageServe are known by `instanceof`, others by their
 * `name` and `code`.
 */
export function unpackThrown({ value, name, kinds, fields, cause }: Thrown): unknown {
  if (!(value instanceof Error)) return value;
  if (kinds !== undefined) {
    Object.setPrototypeOf(value, SageServeError.prototype);
    Object.defineProperty(value, KINDS, { value: kinds });
  }
  if (cause !== undefined)
    Object.defineProperty(value, 'cause', { value: unpackThrown(cause), configurable: true, writable: true });
  Object.assign(value, fields);
  if (value.name !== name) Object.defineProperty(value, 'name', { value: name, configurable: true, writable: true });
  return value;
}

function posts(value: unknown): boolean {
  try {
    structuredClone(value);
    return true;
  } catch {
    return false;
  }
}
