import { ConfigError } from '@sageserve/core';
import { fileName } from '@sageserve/experiments';
import { parseDurationMs } from '@sageserve/fleet';
import { parseScenario, preset, PRESET_NAMES, readScenario, replaying, type Scenario } from '@sageserve/scenario';

export interface CompareOptions {
  readonly preset?: string;
  readonly trace?: string;
  readonly format?: string;
  readonly strategy?: string;
  readonly seeds?: string;
  readonly duration?: string;
  readonly requestsPerDay?: string;
  readonly gapThresholds?: string;
  readonly pareto?: boolean;
  readonly knob?: readonly string[];
  readonly cores?: string;
  readonly out?: string;
  readonly json?: boolean;
}

const MOST_SEEDS = 1_000;

/** Scenarios with what the options change in them, and the files they come from. */
export async function scenariosOf(
  files: readonly string[],
  options: CompareOptions,
): Promise<{ scenario: Scenario; file: string | undefined }[]> {
  if (files.length > 0 && options.preset !== undefined)
    throw new ConfigError('--preset', 'goes without scenario files: give one or the other');
  const presets = options.preset?.split(',').map((name) => name.trim()) ?? (files.length > 0 ? [] : ['small']);
  const bases = [
    ...presets.map((name) => ({ base: preset(name), file: undefined })),
    ...(await Promise.all(files.map(async (file) => ({ base: await readScenario(file), file })))),
  ];
  const rate = options.requestsPerDay === undefined ? undefined : Number(options.requestsPerDay);
  if (rate !== undefined && !(rate > 0 && rate < Infinity))
    throw new ConfigError('--requests-per-day', `must be a number above 0, not "${options.requestsPerDay}"`);
  if (options.duration !== undefined && parseDurationMs(options.duration) === undefined)
    throw new ConfigError('--duration', `"${options.duration}" is not a duration such as 15m, 24h or 7d`);
  if (rate !== undefined && (options.trace ?? bases.find(({ base }) => base.traffic.trace)) !== undefined)
    throw new ConfigError('--requests-per-day', 'is for generated traffic: a trace has its own rate');
  if (options.format !== undefined && options.trace === undefined)
    throw new ConfigError('--format', 'is about a trace: name one with --trace');
  const scenarios = bases.map(({ base, file }) => {
    const { duration: _duration, history: _history, description: _description, ...withoutTime } = base;
    return {
      file,
      scenario: parseScenario({
        // A preset's duration and history are those of its own traffic; a trace that is given
        // instead runs to its end, from its beginning.
        ...(options.trace === undefined ? base : withoutTime),
        ...(options.duration === undefined ? {} : { duration: options.duration }),
        traffic:
          options.trace === undefined
            ? { ...base.traffic, ...(rate === undefined ? {} : { requestsPerDay: rate }) }
            : {
                ...replaying(base.traffic, options.trace),
                ...(options.format === undefined ? {} : { format: options.format }),
              },
      }),
    };
  });
  const names = scenarios.map(({ scenario }) => fileName(scenario.name));
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined)
    throw new ConfigError('scenarios', `two are called ${twice}`, {
      hint: `Give each a name of its own; presets are ${PRESET_NAMES.join(', ')}.`,
    });
  return scenarios;
}

/** `5` stands for the seeds 1 to 5; a list is taken as it is. */
export function seedsOf(text: string): (number | string)[] {
  const parts = text.split(',').map((part) => part.trim());
  if (parts.some((part) => part === ''))
    throw new ConfigError('--seeds', `must be a count such as 5, or seeds with commas between, not "${text}"`);
  if (parts.length > 1) return [...new Set(parts.map((part) => (/^-?\d+$/.test(part) ? Number(part) : part)))];
  const n = Number(text);
  if (!(Number.isInteger(n) && n >= 1 && n <= MOST_SEEDS))
    throw new ConfigError('--seeds', `must be a whole number from 1 to ${MOST_SEEDS}, not "${text}"`, {
      hint: 'One seed of your own: give it twice with a comma between, or set it in the scenario.',
    });
  return Array.from({ length: n }, (_, i) => i + 1);
}

export function thresholdsOf(text: string): number[] {
  return text.split(',').map((part) => {
    const value = Number(part);
    if (!(value >= 1 && value < Infinity))
      throw new ConfigError('--gap-thresholds', `must be numbers of 1 or more with commas between, not "${text}"`);
    return value;
  });
}
