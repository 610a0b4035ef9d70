import type { Drawn } from './figure.js';

/** Whether a strategy is ours, whatever its options are. */
const isOurs = (name: string): boolean => /^sage( \(|$)/.test(name);

/** How each strategy of a page is drawn in all of its figures: the first ink is kept for ours. */
export function strategyInks(names: readonly string[]): ReadonlyMap<string, Drawn> {
  const ours = names.filter(isOurs);
  const others = names.filter((name) => !isOurs(name));
  return new Map([
    ...ours.map((name, i): [string, Drawn] => [name, { ink: i === 0 ? 0 : others.length + i, strong: true }]),
    ...others.map((name, i): [string, Drawn] => [name, { ink: i + 1 }]),
  ]);
}
