import { messageOf, SageServeError } from 'sageserve';

/** What became of one input. */
export interface FuzzOutcome {
  /**
   * `taken`: it did what it should. `refused`: an error that says what is wrong. The others are
   * faults.
   */
  readonly kind: 'taken' | 'refused' | 'raw-error' | 'not-finite' | 'own-defect';
  /** The error's code where it was refused, else what was wrong. */
  readonly detail: string;
}

/** Runs one input and judges it. What is returned is searched for numbers that are none. */
export async function judged(run: () => Promise<unknown>): Promise<FuzzOutcome> {
  try {
    const odd = oddNumber(await run(), '');
    return odd === undefined ? { kind: 'taken', detail: '' } : { kind: 'not-finite', detail: odd };
  } catch (error) {
    if (!(error instanceof SageServeError))
      return {
        kind: 'raw-error',
        detail: `${error instanceof Error ? error.name : typeof error}: ${messageOf(error).slice(0, 200)}`,
      };
    return {
      kind: error.code === 'ERR_INVARIANT' ? 'own-defect' : 'refused',
      detail: error.code === 'ERR_INVARIANT' ? error.message : error.code,
    };
  }
}

const NAME = /(Id|[nN]ame)$/;

/** Where a value holds a number that is not finite, or text that says so. */
function oddNumber(value: unknown, at: string): string | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : `${at || 'the result'} is ${value}`;
  // What a user called something is a name, whatever it says.
  if (typeof value === 'string' && NAME.test(at)) return undefined;
  if (typeof value === 'string') {
    const match = /(^|[\s,:[])-?(NaN|Infinity)\b/.exec(value);
    return match === null ? undefined : `${at || 'the text'} holds ${match[2]}`;
  }
  if (ArrayBuffer.isView(value)) {
    const values = value as unknown as ArrayLike<number>;
    for (let i = 0; i < values.length; i++)
      if (typeof values[i] === 'number' && !Number.isFinite(values[i])) return `${at}[${i}] is ${values[i]}`;
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  for (const [key, inner] of Object.entries(value)) {
    const odd = oddNumber(inner, at === '' ? key : `${at}.${key}`);
    if (odd !== undefined) return odd;
  }
  return undefined;
}
