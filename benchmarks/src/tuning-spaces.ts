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

const knob = (name: string, values: readonly number[], start: number): Knob => ({ name, values, start });
const plain = (point: Readonly<Record<string, number>>): Readonly<Record<string, unknown>> => point;

/** Thresholds as a pair: in is a share of out. */
function thresholds({ out, in: share, ...rest }: Readonly<Record<string, number>>): Readonly<Record<string, unknown>> {
  return { ...rest, scaleOutAbove: out, scaleInBelow: Number((out! * share!).toFixed(3)) };
}

/** From the safe side: a half is what a model carries within its objectives. */
const OUT = knob('out', [0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8], 5);
const IN = knob('in', [0.3, 0.45, 0.6, 0.75], 1);
const COOLDOWN = knob('cooldownMs', [15_000, 60_000, 180_000, 600_000], 1);
const HEADROOM = knob('headroom', [-0.3, -0.2, -0.1, 0, 0.1, 0.2, 0.3], 3);
const QUANTILE = knob('demandQuantile', [0.5, 0.7, 0.9], 1);

/**
 * Every baseline, with the knobs that whoever runs it would turn. Utilisation of all but `reactive`
 * is a share of twice what each model carries within its objectives, which is measured for them as
 * it is for ours. Documented constants stay: HPA's tolerance, and its five minutes among other
 * waits.
 */
export const TUNING_SPACES: Readonly<Record<string, TuningSpace>> = {
  reactive: {
    knobs: [knob('out', [0.06, 0.08, 0.12, 0.17, 0.24, 0.34, 0.48, 0.7], 4), IN, COOLDOWN],
    options: thresholds,
  },
  'reactive-h': { knobs: [OUT, IN, COOLDOWN], fixed: { measured: 2 }, options: thresholds },
  hpa: {
    knobs: [
      knob('kvCacheUtilization', [0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8], 5),
      knob('stabilizationMs', [60_000, 300_000, 900_000], 1),
    ],
    fixed: { measured: 2 },
    options: plain,
  },
  'keda-queue': {
    knobs: [
      knob('queuedRequests', [0.25, 0.5, 1, 2, 5, 10, 20], 3),
      knob('stabilizationMs', [60_000, 300_000, 900_000, 1_800_000], 1),
    ],
    options: plain,
  },
  siloed: { knobs: [OUT, IN, COOLDOWN], fixed: { measured: 2 }, options: thresholds },
  'chiron-like': {
    knobs: [
      knob('busyAbove', [0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8], 5),
      knob('idle', [0.5, 0.65, 0.8], 1),
      knob('deadlineShare', [0.1, 0.25, 0.5], 2),
    ],
    fixed: { measured: 2 },
    options: ({ idle, ...rest }) => ({ ...rest, idleBelow: Number((rest['busyAbove']! * idle!).toFixed(3)) }),
  },
  'lt-i': { knobs: [HEADROOM, QUANTILE], options: plain },
  'lt-u': { knobs: [HEADROOM, OUT, IN, QUANTILE], fixed: { measured: 2 }, options: thresholds },
  'lt-ua': { knobs: [HEADROOM, OUT, IN, QUANTILE], fixed: { measured: 2 }, options: thresholds },
  oracle: { knobs: [HEADROOM], options: plain },
  clairvoyant: {
    knobs: [
      HEADROOM,
      knob('maxOvershoot', [0, 0.15, 0.3, 0.6, 1], 2),
      knob('marginMs', [0, 90_000, 300_000, 900_000], 1),
      knob('kvFactor', [0.7, 0.85, 1, 1.2], 2),
      // Who sees what comes within the hour can plan for it.
      knob('planEveryMs', [600_000, 1_200_000, 3_600_000], 2),
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
