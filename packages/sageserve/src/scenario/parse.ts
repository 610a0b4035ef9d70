import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { ConfigError, SageServeError } from '@sageserve/core';
import { parseDocument } from 'yaml';
import { type Scenario, type ScenarioInput, scenarioSchema } from './schema.js';

/** Checks a scenario and fills in its defaults. Throws `ConfigError` with the path of the first wrong field. */
export function parseScenario(input: ScenarioInput): Scenario {
  const parsed = scenarioSchema.safeParse(input);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const others = parsed.error.issues.length - 1;
  const keys = issue.code === 'unrecognized_keys' ? `.${issue.keys[0]}` : '';
  throw new ConfigError(
    `${pathText(issue.path)}${keys}`.replace(/^\./, '') || 'scenario',
    issue.code === 'unrecognized_keys' ? 'is not a field of the scenario' : deepest(issue),
    {
      ...(others > 0 ? { hint: `${others} more field${others > 1 ? 's are' : ' is'} wrong too.` } : {}),
    },
  );
}

/** A union hides its reasons one level down: the first one says more than "Invalid input". */
function deepest(issue: { code: string | undefined; message: string; errors?: readonly (readonly { message: string }[])[] }): string {
  if (issue.code !== 'invalid_union') return lowerFirst(issue.message);
  const reasons = new Set((issue.errors ?? []).flat().map((error) => lowerFirst(error.message)));
  return [...reasons].join(', or ') || lowerFirst(issue.message);
}

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);

function pathText(path: readonly PropertyKey[]): string {
  return path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('');
}

/** Reads a scenario file, YAML or JSON. A trace that it names is taken relative to it. Throws `ConfigError` with file, line and column, or the field's path. */
export async function readScenario(path: string): Promise<Scenario> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new SageServeError(
      'ERR_SCENARIO_FILE',
      `can't read the scenario ${path}: ${(cause as { code?: string }).code === 'ENOENT' ? 'there is no such file' : (cause as Error).message}`,
      { cause },
    );
  }
  const document = parseDocument(text);
  const error = document.errors[0];
  if (error !== undefined) throw new ConfigError(`${path}:${error.linePos?.[0].line ?? 1}:${error.linePos?.[0].col ?? 1}`, error.message.split('\n')[0]!);
  const scenario = parseScenario(document.toJS() as ScenarioInput);
  if (scenario.traffic.trace === undefined) return scenario;
  return { ...scenario, traffic: { ...scenario.traffic, trace: resolve(dirname(path), scenario.traffic.trace) } };
}
