import { readFile } from 'node:fs/promises';
import { ConfigError, SageServeError } from '@sageserve/core';
import { isNode, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';

/** Checks what a user wrote against a schema. `what` names the whole, `where` gives file, line and column of a field, to put before its path. Throws `ConfigError` with the path of the first wrong field. */
export function checkDocument<S extends z.ZodType>(
  schema: S,
  input: unknown,
  what: string,
  where: (path: readonly PropertyKey[]) => string = () => '',
): z.output<S> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const others = parsed.error.issues.slice(1).map((other) => pathText(pathOf(other), what));
  const path = pathOf(issue);
  throw new ConfigError(`${where(path)}${pathText(path, what)}`, issue.code === 'unrecognized_keys' ? `is not a field of the ${what}` : deepest(issue), {
    ...(others.length > 0 ? { hint: `Wrong too: ${others.join(', ')}.` } : {}),
  });
}

function pathOf(issue: {
  readonly code: string | undefined;
  readonly path: readonly PropertyKey[];
  readonly keys?: readonly string[];
}): readonly PropertyKey[] {
  return issue.code === 'unrecognized_keys' ? [...issue.path, issue.keys![0]!] : issue.path;
}

/** A union hides its reasons one level down: the first one says more than "Invalid input". */
function deepest(issue: { code: string | undefined; message: string; errors?: readonly (readonly { message: string }[])[] }): string {
  if (issue.code !== 'invalid_union') return lowerFirst(issue.message);
  const reasons = new Set((issue.errors ?? []).flat().map((error) => lowerFirst(error.message)));
  return [...reasons].join(', or ') || lowerFirst(issue.message);
}

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);

function pathText(path: readonly PropertyKey[], what: string): string {
  const text = path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('');
  return text.replace(/^\./, '') || what;
}

/** Reads a file, YAML or JSON, and checks it. Throws `SageServeError` (ERR_SCENARIO_FILE) for one that can't be read, `ConfigError` with file, line and column for what is wrong in it. */
export async function readDocument<S extends z.ZodType>(file: string, schema: S, what: string): Promise<z.output<S>> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new SageServeError(
      'ERR_SCENARIO_FILE',
      `can't read the ${what} ${file}: ${(cause as { code?: string }).code === 'ENOENT' ? 'there is no such file' : (cause as Error).message}`,
      { cause },
    );
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const error = document.errors[0];
  if (error !== undefined) throw new ConfigError(`${file}:${error.linePos?.[0].line ?? 1}:${error.linePos?.[0].col ?? 1}`, error.message.split('\n')[0]!);
  return checkDocument(schema, document.toJS(), what, (path) => {
    // The nearest field that the file has: one that is missing is wrong where it should be.
    for (let length = path.length; length > 0; length--) {
      const node = document.getIn(path.slice(0, length), true);
      if (isNode(node) && node.range) {
        const { line, col } = lines.linePos(node.range[0]);
        return `${file}:${line}:${col}: `;
      }
    }
    return `${file}: `;
  });
}
