/** What {@link SageServeError} takes beside its message. */
export interface SageServeErrorOptions {
  /** How to mend it, as a sentence for a person. */
  readonly hint?: string | undefined;
  /** The error underneath. */
  readonly cause?: unknown;
}

/** Base of every error that SageServe throws on purpose. `code` is stable and meant for programs, `hint` says how to mend it. */
export class SageServeError extends Error {
  override readonly name: string = 'SageServeError';
  readonly code: string;
  readonly hint: string | undefined;

  constructor(code: string, message: string, options: SageServeErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
  }
}

/** A value that a user gave is wrong. `path` names the field, such as `regions[1].gpus.a100-80gb`. */
export class ConfigError extends SageServeError {
  override readonly name = 'ConfigError';
  readonly path: string;

  constructor(path: string, reason: string, options?: SageServeErrorOptions) {
    super('ERR_CONFIG', `${path}: ${reason}`, options);
    this.path = path;
  }
}

/** A row of a trace can't be read. `line` counts from 1 and includes the header; `column` is the name of the field. */
export class TraceFormatError extends SageServeError {
  override readonly name = 'TraceFormatError';
  readonly file: string;
  readonly line: number;
  readonly column: string | undefined;
  readonly reason: string;

  constructor(where: { file: string; line: number; column?: string | undefined }, reason: string, options?: SageServeErrorOptions) {
    super('ERR_TRACE_FORMAT', `${where.file}:${where.line}${where.column === undefined ? '' : `, column ${where.column}`}: ${reason}`, options);
    this.file = where.file;
    this.line = where.line;
    this.column = where.column;
    this.reason = reason;
  }
}

/** A name that no policy, profile or preset answers to. `known` lists those that exist. */
export class UnknownPolicyError extends SageServeError {
  override readonly name = 'UnknownPolicyError';
  readonly known: readonly string[];

  constructor(kind: string, name: string, known: readonly string[]) {
    super('ERR_UNKNOWN_POLICY', `unknown ${kind} "${name}"`, { hint: `known: ${known.join(', ')}` });
    this.known = known;
  }
}

/** An optional package that this call needs is not installed. */
export class MissingDependencyError extends SageServeError {
  override readonly name = 'MissingDependencyError';
  readonly packageName: string;

  constructor(packageName: string, neededFor: string, cause?: unknown) {
    super('ERR_MISSING_DEPENDENCY', `${neededFor} needs the package ${packageName}, which is not installed`, { hint: `npm install ${packageName}`, cause });
    this.packageName = packageName;
  }
}

/** A promise that SageServe makes about itself was broken: a defect, never the user's fault. */
export class InvariantError extends SageServeError {
  override readonly name = 'InvariantError';

  constructor(message: string) {
    super('ERR_INVARIANT', message, { hint: 'This is a defect in SageServe: please report it with the scenario and the seed.' });
  }
}
