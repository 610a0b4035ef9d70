import { ConfigError, SageServeError } from '@sageserve/core';
import type { z } from 'zod';
import { readFailure } from './read-failure.js';
import { readFile } from './read-file.js';

/** What to say to somebody who wrote a field that there is not, by its name. */
export type UnknownFieldHint = (field: string) => string | undefined;

/**
 * Checks what a user wrote against a schema. `what` names the whole, `where` gives file, line and
 * column of a field, to put before its path. Throws `ConfigError` with the path of the first wrong
 * field.
 */
export function checkDocument<S extends z.ZodType>(
  schema: S,
  input: unknown,
  what: string,
  where: (path: readonly PropertyKey[]) => string = () => '',
  hintOf: UnknownFieldHint = () => undefined,
): z.output<S> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const path = pathOf(issue);
  const others = [...new Set(parsed.error.issues.map((other) => pathText(pathOf(other), what)))].filter(
    (other) => other !== pathText(path, what),
  );
  const unknown = issue.code === 'unrecognized_keys';
  const hint =
    (unknown ? hintOf(String(path.at(-1))) : undefined) ??
    (others.length > 0 ? `Wrong too: ${others.join(', ')}.` : undefined);
  throw new ConfigError(
    `${where(path)}${pathText(path, what)}`,
    unknown ? `is not a field of the ${what}` : deepest(issue),
    hint === undefined ? {} : { hint },
  );
}

function pathOf(issue: {
  readonly code: string | undefined;
  readonly path: readonly PropertyKey[];
  readonly keys?: readonly string[];
}): readonly PropertyKey[] {
  return issue.code === 'unrecognized_keys' ? [...issue.path, issue.keys![0]!] : issue.path;
}

/** A union hides its reasons one level down: the first one says more than "Invalid input". */
function deepest(issue: {
  code: string | undefined;
  message: string;
  errors?: readonly (readonly { message: string }[])[];
}): string {
  if (issue.code !== 'invalid_union') return lowerFirst(issue.message);
  const reasons = new Set((issue.errors ?? []).flat().map((error) => lowerFirst(error.message)));
  return [...reasons].join(', or ') || lowerFirst(issue.message);
}

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);

function pathText(path: readonly PropertyKey[], what: string): string {
  const text = path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('');
  return text.replace(/^\./, '') || what;
}

/** A scenario of hundreds of models is under a megabyte. */
const MOST_MB = 8;

export interface ReadDocumentOptions {
  /** All of a file of so many megabytes at most: a host that has pipes brings a reader for them. */
  readonly read?: (file: string, mostMb: number) => Promise<Uint8Array>;
  readonly hintOf?: UnknownFieldHint;
  /** Of the error for a file that can't be read; ERR_SCENARIO_FILE unless given. */
  readonly code?: string;
}

/**
 * Reads a file, YAML or JSON, and checks it. Throws `SageServeError` with that code for one that
 * can't be read, `ConfigError` with file, line and column for what is wrong in it.
 */
export async function readDocument<S extends z.ZodType>(
  file: string,
  schema: S,
  what: string,
  { read = readFile, hintOf, code = 'ERR_SCENARIO_FILE' }: ReadDocumentOptions = {},
): Promise<z.output<S>> {
  const text = await readText(file, what, code, read);
  // Loaded where a file is read: who brings objects, or takes a preset, has no use for it.
  const { parseYaml } = await import('./yaml-document.js');
  const { value, where } = parseYaml(file, text);
  refuseOddities(value, [], where, what, new Set());
  return checkDocument(schema, value, what, where, hintOf);
}

/**
 * What went wrong with something that was made of a file's document, with file, line and column
 * before the path of a field of it; the same where the file can't be read again.
 */
export async function located(error: unknown, file: string): Promise<unknown> {
  if (!(error instanceof ConfigError) || !/^[A-Za-z]/.test(error.path)) return error;
  const path = [...error.path.matchAll(/[^.[\]]+/g)].map(([key]) => (/^\d+$/.test(key) ? Number(key) : key));
  try {
    const text = Buffer.from(await readFile(file, MOST_MB)).toString('utf8');
    const { parseYaml } = await import('./yaml-document.js');
    const place = parseYaml(file, text).where(path);
    return new ConfigError(`${place}${error.path}`, error.message.slice(error.path.length + 2), {
      hint: error.hint,
      cause: error,
    });
  } catch {
    return error;
  }
}

async function readText(
  file: string,
  what: string,
  code: string,
  read: NonNullable<ReadDocumentOptions['read']>,
): Promise<string> {
  try {
    return Buffer.from(await read(file, MOST_MB)).toString('utf8');
  } catch (cause) {
    throw new SageServeError(code, `can't read the ${what} ${file}: ${readFailure(cause)}`, { cause });
  }
}

/**
 * Names that mean something to the language are no names of anybody's: they would get lost, or
 * worse. And what an alias makes part of itself has no end.
 */
function refuseOddities(
  value: unknown,
  path: readonly PropertyKey[],
  where: (path: readonly PropertyKey[]) => string,
  what: string,
  around: Set<unknown>,
): void {
  if (typeof value !== 'object' || value === null) return;
  if (around.has(value)) throw new ConfigError(`${where(path)}${pathText(path, what)}`, 'holds itself');
  around.add(value);
  for (const [key, inner] of Object.entries(value)) {
    const own = [...path, Array.isArray(value) ? Number(key) : key];
    if (key === '__proto__') throw new ConfigError(`${where(own)}${pathText(own, what)}`, 'can’t be a name');
    refuseOddities(inner, own, where, what, around);
  }
  around.delete(value);
}
