import type { PolicyChoice } from 'sageserve';

/** One knob: values in order, so that a search can go up or down, and where it begins. */
interface Knob {
  readonly name: string;
  readonly values: readonly number[];
  readonly start: number;
}

/** What is tuned of a strategy, and how a point of the space is written as options. */
export interface TuningSpace {
  readonly knobs: readonly Knob[];
  /** Options that are not tuned. */
  readonly fixed?: Readonly<Record<string, unknown>>;
  readonly options: (point: Readonly<Record<string, number>>) => Readonly<Record<string, unknown>>;
}

const knob = (name: string, values: readonly number[], start: number): Knob => ({
  name,
  values,
  start: values.indexOf(start),
});
const plain = (point: Readonly<Record<string, number>>): Readonly<Record<string, unknown>> => point;

/** Thresholds as a pair: in is a share of out. */
function thresholds({ out, in: share, ...rest }: Readonly<Record<string, number>>): Readonly<Record<string, unknown>> {
  return { ...rest, scaleOutAbove: out, scaleInBelow: Number((out! * share!).toFixed(3)) };
}

/** From the safe side: a half is what a model carries within its objectives. */
const SHARES = [0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8, 0.9, 1];
const OUT = knob('out', SHARES, 0.45);
/** Not beyond what LT-U passes its bound at. */
const OUT_OF_PLAN = knob('out', SHARES.slice(0, -1), 0.45);
const IN = knob('in', [0.15, 0.3, 0.45, 0.6, 0.75, 0.85], 0.45);
const COOLDOWN = knob('cooldownMs', [5_000, 15_000, 60_000, 180_000, 600_000, 1_800_000], 60_000);
const HEADROOM = knob('headroom', [-0.3, -0.2, -0.1, 0, 0.1, 0.2, 0.3, 0.45, 0.6, 0.75], 0);
const QUANTILE = knob('demandQuantile', [0.5, 0.7, 0.9, 0.97], 0.7);
const STABILIZATION = knob('stabilizationMs', [0, 60_000, 300_000, 900_000, 1_800_000, 3_600_000], 300_000);

/**
 * Every baseline, with the knobs that whoever runs it would turn. Utilisation of all but `reactive`
 * is a share of twice what each model carries within its objectives, which is measured for them as
 * it is for ours. Documented constants stay: HPA's tolerance, and its five minutes among other
 * waits.
 */
export const TUNING_SPACES: Readonly<Record<string, TuningSpace>> = {
  reactive: {
    knobs: [knob('out', [0.03, 0.04, 0.06, 0.08, 0.12, 0.17, 0.24, 0.34, 0.48, 0.7, 0.85], 0.24), IN, COOLDOWN],
    options: thresholds,
  },
  'reactive-h': { knobs: [OUT, IN, COOLDOWN], fixed: { measured: 2 }, options: thresholds },
  hpa: {
    knobs: [knob('kvCacheUtilization', SHARES, 0.45), STABILIZATION],
    fixed: { measured: 2 },
    options: plain,
  },
  'keda-queue': {
    knobs: [knob('queuedRequests', [0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 20], 2), STABILIZATION],
    options: plain,
  },
  siloed: { knobs: [OUT, IN, COOLDOWN], fixed: { measured: 2 }, options: thresholds },
  'chiron-like': {
    knobs: [
      knob('busyAbove', SHARES, 0.45),
      knob('idle', [0.35, 0.5, 0.65, 0.8], 0.65),
      knob('deadlineShare', [0.1, 0.25, 0.5, 0.75, 1], 0.5),
    ],
    fixed: { measured: 2 },
    options: ({ idle, ...rest }) => ({ ...rest, idleBelow: Number((rest['busyAbove']! * idle!).toFixed(3)) }),
  },
  'lt-i': { knobs: [HEADROOM, QUANTILE], options: plain },
  'lt-u': { knobs: [HEADROOM, OUT_OF_PLAN, IN, QUANTILE], fixed: { measured: 2 }, options: thresholds },
  'lt-ua': { knobs: [HEADROOM, OUT_OF_PLAN, IN, QUANTILE], fixed: { measured: 2 }, options: thresholds },
  oracle: { knobs: [HEADROOM], options: plain },
  clairvoyant: {
    knobs: [
      HEADROOM,
      knob('maxOvershoot', [0, 0.15, 0.3, 0.6, 1], 0.3),
      knob('marginMs', [0, 90_000, 300_000, 900_000], 90_000),
      knob('kvFactor', [0.7, 0.85, 1, 1.2], 1),
      // Who sees what comes within the hour can plan for it.
      knob('planEveryMs', [600_000, 1_200_000, 3_600_000], 3_600_000),
    ],
    options: plain,
  },
};

/** A point of a space as the strategy that a run names. */
export function choiceAt(strategy: string, at: readonly number[]): PolicyChoice {
  const { knobs, fixed, options } = TUNING_SPACES[strategy]!;
  const point = Object.fromEntries(knobs.map(({ name, values }, k) => [name, values[at[k]!]!]));
  return { name: strategy, ...fixed, ...options(point) };
}

/** The point that a choice is written of; undefined where there is none. */
export function pointOf(strategy: string, choice: PolicyChoice): number[] | undefined {
  const { knobs } = TUNING_SPACES[strategy]!;
  const wanted = JSON.stringify(choice);
  const look = (at: readonly number[]): number[] | undefined => {
    if (at.length === knobs.length) return JSON.stringify(choiceAt(strategy, at)) === wanted ? [...at] : undefined;
    for (let i = 0; i < knobs[at.length]!.values.length; i++) {
      const found = look([...at, i]);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return look([]);
}
