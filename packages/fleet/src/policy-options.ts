import { ConfigError } from '@sageserve/core';

const MOST = 1e15;

/** Options as a scenario gives them: numbers, text and nested tables, not yet checked. */
export type PolicyOptions = Readonly<Record<string, unknown>>;

/** The options that a policy takes, all of them numbers. */
export function numbers<K extends string>(options: PolicyOptions, known: readonly K[]): { [P in K]?: number } {
  const result: { [P in K]?: number } = {};
  for (const [key, value] of Object.entries(options)) {
    if (!known.includes(key as K))
      throw new ConfigError(key, 'is not an option of this policy', {
        hint: known.length === 0 ? 'It takes none.' : `It takes ${known.join(', ')}.`,
      });
    result[key as K] = numberOf(key, value);
  }
  return result;
}

function numberOf(path: string, value: unknown): number {
  if (typeof value !== 'number') throw new ConfigError(path, `must be a number, not ${JSON.stringify(value)}`);
  // A scenario can hold .inf and .nan, which are numbers by their type.
  if (!(Math.abs(value) <= MOST)) throw new ConfigError(path, `must be a number of at most ${MOST}, not ${value}`);
  return value;
}

/** An option that is a number above 0. */
export function positive(path: string, given: unknown): number {
  const number = numberOf(path, given);
  if (!(number > 0)) throw new ConfigError(path, `must be above 0, not ${number}`);
  return number;
}

/** An option that is on or off; off where it is not given. */
export function flag(path: string, value: unknown): boolean {
  if (value !== undefined && typeof value !== 'boolean')
    throw new ConfigError(path, `must be true or false, not ${JSON.stringify(value)}`);
  return value === true;
}

/** What a table of numbers by model has for those that it does not name. */
const OTHERS = 'default';

/**
 * An option that is a number above 0 for all models, or a table of them by model, with `default`
 * for those that it does not name. Throws `ConfigError` for a model that there is not, and for one
 * that has no number.
 */
export function numberByModel(
  path: string,
  value: unknown,
  models: readonly string[],
  most = Infinity,
): number | ((modelId: string) => number) {
  const checked = (at: string, one: unknown): number => {
    const number = positive(at, one);
    if (number > most) throw new ConfigError(at, `must be at most ${most}, not ${number}`);
    return number;
  };
  if (typeof value !== 'object' || value === null) return checked(path, value);
  const given = value as Readonly<Record<string, unknown>>;
  const table = new Map<string, number>();
  for (const [name, number] of Object.entries(given)) {
    if (name !== OTHERS && !models.includes(name))
      throw new ConfigError(`${path}.${name}`, 'is not a model of the fleet', {
        hint: `It has ${models.join(', ')}; "${OTHERS}" is for those that are not named.`,
      });
    table.set(name, checked(`${path}.${name}`, number));
  }
  const missing = table.has(OTHERS) ? undefined : models.find((name) => !table.has(name));
  if (missing !== undefined)
    throw new ConfigError(path, `has nothing for ${missing}`, { hint: `Give it a number, or "${OTHERS}" one.` });
  return (modelId) => table.get(modelId) ?? table.get(OTHERS)!;
}
