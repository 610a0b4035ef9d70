import { ConfigError } from '@sageserve/core';
import { count } from '../format.js';
import type { PolicyChoice } from '@sageserve/fleet';
import { replaying, type Scenario, type ScenarioInput } from '@sageserve/scenario';

/** Names that lead to what every object of the language has in common. */
const FORBIDDEN = ['__proto__', 'constructor', 'prototype'];

export type ParameterValue = number | string | boolean;

/**
 * `scaleOutAbove 0.8, requestsPerDay 1,000,000`: the last part of each path is enough where no
 * other ends alike.
 */
export function parametersText(parameters: Readonly<Record<string, ParameterValue>>): string {
  const entries = Object.entries(parameters);
  const last = (path: string): string => path.slice(path.lastIndexOf('.') + 1);
  return entries
    .map(([path, value]) => {
      const short = entries.filter(([other]) => last(other) === last(path)).length === 1 ? last(path) : path;
      return `${short} ${typeof value === 'number' && Number.isInteger(value) && value >= 10_000 ? count(value) : String(value)}`;
    })
    .join(', ');
}

/** What of a scenario is given to whoever runs a fleet, and not chosen. */
const GIVEN =
  /^(traffic|incidents|duration|history|objectives)(\.|$)|^models\..+\.(share|promptTokens|outputTokens)(\.|$)/;

/** Tells conditions from knobs, by their paths: those of traffic and incidents, and those named. */
export function conditionTest(named: readonly string[]): (path: string) => boolean {
  return (path) => named.includes(path) || GIVEN.test(path);
}

/**
 * A scenario and a strategy with some of their fields set. A path is that of a field of the
 * scenario with dots between, where members of a list go by their name, their position or `*` for
 * each (`models.llama-2-70b.deployments.*.maxInstances`); or an option of the strategy after its
 * name (`reactive.scaleOutAbove`). Paths of `others`, which are other strategies' names, are not
 * this one's and do nothing. Throws `ConfigError` for a path that leads nowhere; what it leads to
 * is checked with the scenario.
 */
export function withParameters(
  scenario: Scenario,
  choice: PolicyChoice,
  parameters: Readonly<Record<string, ParameterValue>>,
  others: readonly string[] = [],
): { readonly scenario: ScenarioInput; readonly choice: PolicyChoice } {
  const changed = structuredClone(scenario) as unknown as Record<string, unknown>;
  let chosen = choice;
  const name = typeof choice === 'string' ? choice : choice.name;
  // Whoever names a trace means it in place of what the scenario generates.
  const { 'traffic.trace': trace } = parameters;
  if (typeof trace === 'string') changed['traffic'] = replaying(scenario.traffic, trace);
  for (const [path, value] of Object.entries(parameters)) {
    const segments = path.split('.');
    const odd = segments.find((segment) => FORBIDDEN.includes(segment));
    if (odd !== undefined) throw new ConfigError(path, `"${odd}" is no field`);
    const first = segments[0]!;
    if (path === 'seed') throw new ConfigError(path, 'is not a parameter: seeds are listed under seeds');
    if (first === name && segments.length === 2)
      chosen = { ...(typeof chosen === 'string' ? { name } : chosen), [segments[1]!]: value };
    else if (Object.hasOwn(changed, first) || segments.length === 1) set(changed, segments, value, path);
    else if (!others.includes(first))
      throw new ConfigError(path, `"${first}" is neither a field of the scenario nor a strategy of the sweep`, {
        hint: `Strategies are ${[name, ...others].join(', ')}.`,
      });
  }
  return { scenario: changed as ScenarioInput, choice: chosen };
}

function set(
  container: Record<string, unknown> | unknown[],
  segments: readonly string[],
  value: ParameterValue,
  path: string,
): void {
  if (Array.isArray(container)) {
    const members = container;
    const { chosen, length } = membersAt(members, segments, path);
    for (const i of chosen) {
      if (length === segments.length) members[i] = value;
      else set(inside(members[i], path, segments[length - 1]!), segments.slice(length), value, path);
    }
    return;
  }
  const [segment, ...rest] = segments as [string, ...string[]];
  if (rest.length === 0) container[segment] = value;
  else {
    // Only what is the object's own: toString and the like are not fields.
    if (!Object.hasOwn(container, segment)) container[segment] = {};
    set(inside((container[segment] ??= {}), path, segment), rest, value, path);
  }
}

/**
 * Which members of a list the first segments mean, and how many segments that takes: names may have
 * dots.
 */
function membersAt(
  members: readonly unknown[],
  segments: readonly string[],
  path: string,
): { chosen: readonly number[]; length: number } {
  const first = segments[0]!;
  if (first === '*' && members.length > 0) return { chosen: members.map((_, i) => i), length: 1 };
  for (let length = segments.length; length > 0; length--) {
    const named = members.findIndex((member) => nameOf(member) === segments.slice(0, length).join('.'));
    if (named !== -1) return { chosen: [named], length };
  }
  if (/^\d+$/.test(first) && Number(first) < members.length) return { chosen: [Number(first)], length: 1 };
  throw new ConfigError(path, `there is no "${first}"`, {
    hint:
      `There are ${members.map((member, i) => nameOf(member) ?? String(i)).join(', ') || 'none'}; * stands for ` +
      'each.',
  });
}

function nameOf(member: unknown): string | undefined {
  return typeof member === 'object' && member !== null && 'name' in member ? String(member.name) : undefined;
}

function inside(value: unknown, path: string, segment: string): Record<string, unknown> | unknown[] {
  if (typeof value !== 'object' || value === null)
    throw new ConfigError(path, `"${segment}" is ${JSON.stringify(value)}, which has no fields`);
  return value as Record<string, unknown>;
}
