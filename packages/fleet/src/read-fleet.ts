import { dirname, resolve } from 'node:path';
import { type Fleet, type FleetInput, fleetSchema } from './fleet-schema.js';
import { checkDocument, readDocument, type UnknownFieldHint } from './read-document.js';

/** Fields of a scenario that say what traffic comes and how it is run. */
const OF_SCENARIOS = new Set([
  'traffic',
  'duration',
  'history',
  'incidents',
  'engine',
  'endpointDelay',
  'share',
  'phaseHours',
  'shape',
  'promptTokens',
  'outputTokens',
]);

const hintOf: UnknownFieldHint = (field) =>
  OF_SCENARIOS.has(field)
    ? 'That is a scenario, which the simulator runs: a fleet has no traffic, since that comes by itself. Take the ' +
      'field out.'
    : undefined;

/**
 * Checks a fleet and fills in its defaults. Throws `ConfigError` with the path of the first wrong
 * field; a scenario is refused, since it brings its traffic.
 */
export function parseFleet(input: FleetInput): Fleet {
  return checkDocument(fleetSchema, input, 'fleet', undefined, hintOf);
}

/**
 * Reads a fleet file, YAML or JSON. Plug-ins that it names are taken relative to it. Throws
 * `ConfigError` with file, line and column, or the field's path, and `SageServeError`
 * (ERR_FLEET_FILE) for a file that can't be read.
 */
export async function readFleet(file: string): Promise<Fleet> {
  const fleet = await readDocument(file, fleetSchema, 'fleet', { hintOf, code: 'ERR_FLEET_FILE' });
  return { ...fleet, plugins: fleet.plugins.map((plugin) => resolve(dirname(file), plugin)) };
}
