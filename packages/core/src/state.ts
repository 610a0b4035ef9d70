import { SageServeError } from './errors.js';
import { PlacementGrid } from './placement.js';
import type { Awaitable } from './units.js';

/** What something remembers, and in which version of its own format. */
export interface SavedState {
  /** A whole number that rises when the meaning of `state` changes. */
  readonly version: number;
  /**
   * Plain values, lists, maps, typed arrays of 64-bit floats and placement grids: see {@link
   * stateText}.
   */
  readonly state: unknown;
}

/**
 * Something with a memory. What is saved at one moment and restored into a fresh object goes on as
 * the first would have done.
 */
export interface Stateful {
  /** A copy of what is remembered: later changes don't reach it. */
  save(): SavedState;
  /**
   * Takes the place of what is remembered. Throws `SageServeError` (ERR_STATE) for what it can't
   * read, and keeps what it had.
   */
  restore(saved: SavedState): void;
}

/** What a call to a {@link StateStore} takes. */
export interface StateStoreOptions {
  /**
   * Ends the call: it is to reject soon after with the signal's reason. Absent: it ends by itself.
   */
  readonly signal?: AbortSignal;
  /**
   * The fence of the lease under which is written; of no use to `load`. Absent where nobody else
   * writes.
   */
  readonly fence?: number;
}

/**
 * Keeps texts by key where they outlive the process.
 *
 * Contract: `load` gives what was saved last, or `undefined`; when `save` has resolved the text is
 * there after a crash; a crash during it leaves the text before or the new one, whole; once
 * something was saved with a fence, saving with an older one rejects with `SageServeError`
 * (ERR_FENCED) and changes nothing.
 */
export interface StateStore {
  /**
   * What was saved under `key` last, whole; `undefined` where nothing was. Rejects where it can't
   * be read.
   */
  load(key: string, options?: StateStoreOptions): Awaitable<string | undefined>;
  /**
   * Puts `text` in the place of what was under `key`. Rejects where it may not be there afterwards.
   */
  save(key: string, text: string, options?: StateStoreOptions): Awaitable<void>;
}

/**
 * The state of a saved one that is of the version that `what` reads. Throws `SageServeError`
 * (ERR_STATE) for another.
 */
export function stateOfVersion(what: string, saved: SavedState, version: number): unknown {
  if (saved.version !== version)
    throw new SageServeError('ERR_STATE', `${what} can't go on from state of version ${saved.version}`, {
      hint: `It reads version ${version}. Without its state it begins anew.`,
    });
  return saved.state;
}

/**
 * State as JSON that gives every number back to its last bit, also NaN, infinities and −0, and
 * maps, 64-bit float columns and placement grids as what they are. Throws `SageServeError`
 * (ERR_STATE) for what is none of these.
 */
export function stateText(value: unknown): string {
  return JSON.stringify(packed(value));
}

/**
 * What {@link stateText} was made from. Throws `SageServeError` (ERR_STATE) for text that it did
 * not make.
 */
export function stateFromText(text: string): unknown {
  try {
    return unpacked(JSON.parse(text));
  } catch (error) {
    if (error instanceof SageServeError) throw error;
    throw new SageServeError('ERR_STATE', 'the saved state can’t be read', { cause: error });
  }
}

/** The one key of an object that stands for what JSON has no form for. */
const TAG = '$';

function packed(value: unknown): unknown {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (value === undefined) return { [TAG]: 'undefined' };
  if (typeof value === 'number')
    return Number.isFinite(value) && !Object.is(value, -0)
      ? value
      : { [TAG]: Object.is(value, -0) ? '-0' : `${value}` };
  if (Array.isArray(value)) return value.map(packed);
  if (value instanceof Float64Array) return { [TAG]: 'columns', of: Array.from(value, packed) };
  if (value instanceof Map) return { [TAG]: 'map', of: Array.from(value, (pair) => pair.map(packed)) };
  if (value instanceof PlacementGrid)
    return { [TAG]: 'grid', shape: [value.models, value.regions, value.skus], of: Array.from(value.values, packed) };
  const prototype: unknown = typeof value === 'object' ? Object.getPrototypeOf(value) : undefined;
  if (prototype !== Object.prototype && prototype !== null)
    throw new SageServeError('ERR_STATE', `a value of type ${typeof value} can't be saved`);
  const out: Record<string, unknown> = {};
  for (const [key, member] of Object.entries(value)) {
    if (key === TAG) throw new SageServeError('ERR_STATE', `a field named ${TAG} can't be saved`);
    if (member !== undefined) out[key] = packed(member);
  }
  return out;
}

const NUMBERS: ReadonlyMap<unknown, number | undefined> = new Map([
  ['NaN', NaN],
  ['Infinity', Infinity],
  ['-Infinity', -Infinity],
  ['-0', -0],
  ['undefined', undefined],
]);

function unpacked(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unpacked);
  if (typeof value !== 'object' || value === null) return value;
  const {
    [TAG]: tag,
    of,
    shape,
  } = value as { readonly [TAG]?: unknown; readonly of?: unknown; readonly shape?: unknown };
  if (tag === undefined)
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, unpacked(member)]));
  if (NUMBERS.has(tag)) return NUMBERS.get(tag);
  const list = unpacked(of) as unknown[];
  if (tag === 'columns') return Float64Array.from(list as number[]);
  if (tag === 'map') return new Map(list as [unknown, unknown][]);
  if (tag === 'grid')
    return new PlacementGrid(...(shape as [number, number, number]), Float64Array.from(list as number[]));
  throw new SageServeError('ERR_STATE', `the saved state has a value of the unknown kind ${JSON.stringify(tag)}`);
}
