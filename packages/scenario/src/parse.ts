import { dirname, resolve } from 'node:path';
import { checkDocument, located, readDocument } from '@sageserve/fleet';
import { readWhole } from './input-file.js';
import { type Scenario, type ScenarioInput, scenarioSchema } from './schema.js';

/**
 * Checks a scenario and fills in its defaults. Throws `ConfigError` with the path of the first
 * wrong field.
 */
export function parseScenario(input: ScenarioInput): Scenario {
  return checkDocument(scenarioSchema, input, 'scenario');
}

/**
 * Reads a scenario file, YAML or JSON. A trace that it names is taken relative to it. Throws
 * `ConfigError` with file, line and column, or the field's path.
 */
export async function readScenario(file: string): Promise<Scenario> {
  const scenario = await readDocument(file, scenarioSchema, 'scenario', { read: readWhole });
  if (scenario.traffic.trace === undefined) return scenario;
  return { ...scenario, traffic: { ...scenario.traffic, trace: resolve(dirname(file), scenario.traffic.trace) } };
}

/**
 * Does something with a scenario that a file has: what is wrong with a field of it is thrown with
 * file, line and column.
 */
export async function locatedIn<T>(file: string | undefined, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw file === undefined ? error : await located(error, file);
  }
}
