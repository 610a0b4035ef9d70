import type { PolicyChoice } from '@sageserve/fleet';
import { ConfigError } from '@sageserve/core';

/** What of a strategy trades GPU-hours against attainment. */
interface MainKnob {
  /** Its option, and those that follow it. */
  readonly option: string;
  /** Options that take its place: with one of them it is not what decides. */
  readonly notWith?: readonly string[];
  /** From many instances to few, without that of a strategy as it is: that one is compared. */
  readonly levels: readonly number[];
  readonly options: (level: number, own: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>;
}

const SHARES = [0.1, 0.2, 0.3, 0.45, 0.6, 0.75, 0.9];
/** Scaling in at so much of what scales out, where a strategy's options don't say. */
const IN_OF_OUT = 0.5;

/** At most so much of it, where it is given by itself. */
const MOST_IN_OF_OUT = 0.9;

/**
 * A threshold, with a second one that stays the same share of it where both are given, and as it
 * is where it alone is.
 */
function pair(out: string, into: string): MainKnob {
  const below = (level: number, above: unknown, own: unknown): number => {
    if (typeof own !== 'number') return level * IN_OF_OUT;
    return typeof above === 'number' ? (level * own) / above : Math.min(own, level * MOST_IN_OF_OUT);
  };
  return {
    option: out,
    levels: SHARES,
    options: (level, { [out]: above, [into]: own }) => ({
      [out]: level,
      [into]: Number(below(level, above, own).toFixed(4)),
    }),
  };
}

const single = (option: string, levels: readonly number[]): MainKnob => ({
  option,
  levels,
  options: (level) => ({ [option]: level }),
});

const THRESHOLDS = pair('scaleOutAbove', 'scaleInBelow');
const HEADROOM = single('headroom', [0.5, 0.3, 0.2, 0, -0.1, -0.2, -0.35]);
/** Of those that plan nearly full by themselves. */
const FULL_HEADROOM = single('headroom', [0.5, 0.3, 0.15, 0.05, -0.05, -0.2, -0.35]);

const MAIN_KNOBS: Readonly<Record<string, MainKnob>> = {
  reactive: THRESHOLDS,
  'reactive-h': THRESHOLDS,
  siloed: THRESHOLDS,
  hpa: { ...single('kvCacheUtilization', SHARES), notWith: ['runningRequests', 'queuedRequests'] },
  'keda-queue': single('queuedRequests', [0.25, 0.5, 1, 3, 10, 30, 100]),
  'chiron-like': pair('busyAbove', 'idleBelow'),
  'lt-i': HEADROOM,
  'lt-u': HEADROOM,
  'lt-ua': HEADROOM,
  oracle: FULL_HEADROOM,
  clairvoyant: FULL_HEADROOM,
  sage: { ...FULL_HEADROOM, notWith: ['plan'] },
};

/** Values that whoever compares gives for an option of a strategy. */
export interface GivenKnob {
  readonly strategy: string;
  readonly option: string;
  readonly values: readonly number[];
}

/** A strategy with its knob at several levels. */
export interface KnobSettings {
  readonly option: string;
  readonly levels: readonly { readonly value: number; readonly choice: PolicyChoice }[];
}

/**
 * A strategy's main knob at its levels, everything else as in the choice; undefined for one whose
 * knob is neither known nor given.
 */
export function knobSettings(choice: PolicyChoice, given: readonly GivenKnob[] = []): KnobSettings | undefined {
  const own: Readonly<Record<string, unknown>> = typeof choice === 'string' ? {} : choice;
  const name = typeof choice === 'string' ? choice : choice.name;
  const chosen = given.find(({ strategy }) => strategy === name);
  const main = Object.hasOwn(MAIN_KNOBS, name) ? MAIN_KNOBS[name] : undefined;
  const known = main?.notWith?.some((option) => (own[option] ?? true) !== true) === true ? undefined : main;
  const knob =
    chosen === undefined
      ? known
      : known?.option === chosen.option
        ? { ...known, levels: chosen.values }
        : single(chosen.option, chosen.values);
  if (knob === undefined) return undefined;
  return {
    option: knob.option,
    levels: knob.levels
      // That one is compared as it is.
      .filter((value) => own[knob.option] !== value)
      .map((value) => ({ value, choice: { ...own, name, ...knob.options(value, own) } })),
  };
}

/** `strategy.option=value,value`. Throws `ConfigError`. */
export function parseKnob(text: string): GivenKnob {
  const match = /^([^=]+)\.([^.=]+)=(.+)$/.exec(text);
  const values = match?.[3]!.split(',').map((part) => (part.trim() === '' ? NaN : Number(part)));
  if (match === null || !values!.every(Number.isFinite) || new Set(values).size < 2)
    throw new ConfigError(
      '--knob',
      `must be a strategy’s option with two numbers or more, such as lt-ua.headroom=0,0.2, not "${text}"`,
    );
  return { strategy: match[1]!.trim(), option: match[2]!.trim(), values: [...new Set(values)] };
}
