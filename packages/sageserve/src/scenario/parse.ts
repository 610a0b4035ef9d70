import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { ConfigError, SageServeError } from '@sageserve/core';
import { isNode, LineCounter, parseDocument } from 'yaml';
import { type Scenario, type ScenarioInput, scenarioSchema } from './schema.js';

/** Checks a scenario and fills in its defaults. Throws `ConfigError` with the path of the first wrong field. */
export function parseScenario(input: ScenarioInput): Scenario {
  return check(input, () => '');
}

/** `where` gives file, line and column of a field, to put before its path. */
function check(input: unknown, where: (path: readonly PropertyKey[]) => string): Scenario {
  const parsed = scenarioSchema.safeParse(input);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const others = parsed.error.issues.slice(1).map((other) => pathText(pathOf(other)));
  const path = pathOf(issue);
  throw new ConfigError(`${where(path)}${pathText(path)}`, issue.code === 'unrecognized_keys' ? 'is not a field of the scenario' : deepest(issue), {
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

function pathText(path: readonly PropertyKey[]): string {
  const text = path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('');
  return text.replace(/^\./, '') || 'scenario';
}

/** Reads a scenario file, YAML or JSON. A trace that it names is taken relative to it. Throws `ConfigError` with file, line and column, or the field's path. */
export async function readScenario(file: string): Promise<Scenario> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new SageServeError(
      'ERR_SCENARIO_FILE',
      `can't read the scenario ${file}: ${(cause as { code?: string }).code === 'ENOENT' ? 'there is no such file' : (cause as Error).message}`,
      { cause },
    );
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const error = document.errors[0];
  if (error !== undefined) throw new ConfigError(`${file}:${error.linePos?.[0].line ?? 1}:${error.linePos?.[0].col ?? 1}`, error.message.split('\n')[0]!);
  const scenario = check(document.toJS(), (path) => {
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
  if (scenario.traffic.trace === undefined) return scenario;
  return { ...scenario, traffic: { ...scenario.traffic, trace: resolve(dirname(file), scenario.traffic.trace) } };
}
