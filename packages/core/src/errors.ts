/** What {@link SageServeError} takes beside its message. */
export interface SageServeErrorOptions {
  /** How to mend it, as a sentence for a person; `undefined` or absent where nobody knows. */
  readonly hint?: string | undefined;
  /** The error, or whatever else was thrown, underneath; absent where there is none. */
  readonly cause?: unknown;
}

/**
 * Where an error carries the names of its classes. Of the global registry, so that an error is
 * known by another copy of this package too.
 */
const KINDS = Symbol.for('sageserve.error.kinds');

/**
 * Base of every error that SageServe throws on purpose. `code` is stable and meant for programs,
 * `hint` says how to mend it. `instanceof` holds across copies of this package: a plug-in may bring
 * its own.
 */
export class SageServeError extends Error {
  /** Name of the class as other copies know it. */
  static readonly kind: string = 'SageServeError';
  override readonly name: string = 'SageServeError';
  /** What kind of error it is, such as `ERR_CONFIG`: the same from one version to the next. */
  readonly code: string;
  /** How to mend it, as a sentence for a person; `undefined` where nobody knows. */
  readonly hint: string | undefined;

  /** An error of `code` that says `message`. */
  constructor(code: string, message: string, options: SageServeErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
    Object.defineProperty(this, KINDS, { value: kindsOf(new.target) });
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    // A class of somebody else's below one of these has no name of its own.
    if (!Object.hasOwn(this, 'kind')) return Function.prototype[Symbol.hasInstance].call(this, value);
    if (typeof value !== 'object' || value === null) return false;
    try {
      const kinds = (value as { readonly [KINDS]?: unknown })[KINDS];
      return Array.isArray(kinds) && kinds.includes(this.kind);
    } catch {
      // Anything may be thrown, also what can't be looked at.
      return false;
    }
  }
}

/** Names of a class and of those above it. */
function kindsOf(type: typeof SageServeError): readonly string[] {
  const kinds: string[] = [];
  for (let at: unknown = type; typeof at === 'function' && at !== Error; at = Object.getPrototypeOf(at))
    if (Object.hasOwn(at, 'kind')) kinds.push((at as typeof SageServeError).kind);
  return kinds;
}

/**
 * A value that a user gave is wrong. `path` names the field, such as `regions[1].gpus.a100-80gb`.
 */
export class ConfigError extends SageServeError {
  static override readonly kind = 'ConfigError';
  override readonly name = 'ConfigError';
  /** The field, from the top of what was given. */
  readonly path: string;

  /** `reason` follows the path: what the value must be, and what it is. */
  constructor(path: string, reason: string, options?: SageServeErrorOptions) {
    super('ERR_CONFIG', `${path}: ${reason}`, options);
    this.path = path;
  }
}

/**
 * A row of a trace can't be read. `line` counts from 1 and includes the header; `column` is the
 * name of the field.
 */
export class TraceFormatError extends SageServeError {
  static override readonly kind = 'TraceFormatError';
  override readonly name = 'TraceFormatError';
  /** The file, as it was named. */
  readonly file: string;
  /** The line, or the row of a file without lines; 1 is the first. */
  readonly line: number;
  /** Name of the field; `undefined` where the whole row is wrong. */
  readonly column: string | undefined;
  /** What is wrong, without the place. */
  readonly reason: string;

  /** `where` the row is, and the `reason` why it can't be read. */
  constructor(
    where: { file: string; line: number; column?: string | undefined },
    reason: string,
    options?: SageServeErrorOptions,
  ) {
    super(
      'ERR_TRACE_FORMAT',
      `${where.file}:${where.line}${where.column === undefined ? '' : `, column ${where.column}`}: ${reason}`,
      options,
    );
    this.file = where.file;
    this.line = where.line;
    this.column = where.column;
    this.reason = reason;
  }
}

/** A name that no policy, profile or preset answers to. `known` lists those that exist. */
export class UnknownPolicyError extends SageServeError {
  static override readonly kind = 'UnknownPolicyError';
  override readonly name = 'UnknownPolicyError';
  /** The names that exist. */
  readonly known: readonly string[];

  /** `kind` is what was looked for, such as `region router`; `name` is what was asked for. */
  constructor(kind: string, name: string, known: readonly string[]) {
    super('ERR_UNKNOWN_POLICY', `unknown ${kind} "${name}"`, { hint: `known: ${known.join(', ')}` });
    this.known = known;
  }
}

/** An optional package that this call needs is not installed. */
export class MissingDependencyError extends SageServeError {
  static override readonly kind = 'MissingDependencyError';
  override readonly name = 'MissingDependencyError';
  /** The package, as npm knows it. */
  readonly packageName: string;

  /** `neededFor` begins the message: what needs the package. */
  constructor(packageName: string, neededFor: string, cause?: unknown) {
    super('ERR_MISSING_DEPENDENCY', `${neededFor} needs the package ${packageName}, which is not installed`, {
      hint: `npm install ${packageName}`,
      cause,
    });
    this.packageName = packageName;
  }
}

/**
 * A policy did what its interface forbids: a mistake of whoever wrote it. `origin` says where it
 * comes from, such as `plugins[0] (./mine.mjs)`, where that is known.
 */
export class PolicyContractError extends SageServeError {
  static override readonly kind = 'PolicyContractError';
  override readonly name = 'PolicyContractError';
  /** Its kind and name, such as `region router "mine"`. */
  readonly policy: string;
  /** Where it comes from; `undefined` where that is not known. */
  readonly origin: string | undefined;
  /** What it has to do. */
  readonly contract: string;

  /**
   * `policy` is its kind and name, such as `region router "mine"`; `broken` says what it did,
   * `contract` what it has to do instead.
   */
  constructor(
    policy: string,
    broken: string,
    contract: string,
    options: { readonly origin?: string | undefined; readonly cause?: unknown } = {},
  ) {
    const { origin, cause } = options;
    super('ERR_POLICY_CONTRACT', `${policy}${origin === undefined ? '' : ` of ${origin}`} ${broken}`, {
      hint: contract,
      cause,
    });
    this.policy = policy;
    this.origin = origin;
    this.contract = contract;
  }
}

/** A promise that SageServe makes about itself was broken: a defect, never the user's fault. */
export class InvariantError extends SageServeError {
  static override readonly kind = 'InvariantError';
  override readonly name = 'InvariantError';

  /** `message` says which promise was broken, and how. */
  constructor(message: string) {
    super('ERR_INVARIANT', message, {
      hint: 'This is a defect in SageServe: please report it with the scenario and the seed.',
    });
  }
}

/**
 * What an error, or whatever else was thrown, says in words. Never throws: `throw null` and objects
 * that can't be read as text have an answer too.
 */
export function messageOf(error: unknown): string {
  try {
    if (error instanceof Error) {
      const said: unknown = error.message;
      return said === '' ? error.name : String(said);
    }
    return typeof error === 'string' ? error : `${String(error)} was thrown`;
  } catch {
    return 'something that can’t be put in words was thrown';
  }
}
