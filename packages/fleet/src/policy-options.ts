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
    if (typeof value !== 'number') throw new ConfigError(key, `must be a number, not ${JSON.stringify(value)}`);
    // A scenario can hold .inf and .nan, which are numbers by their type.
    if (!(Math.abs(value) <= MOST)) throw new ConfigError(key, `must be a number of at most ${MOST}, not ${value}`);
    result[key as K] = value;
  }
  return result;
}
