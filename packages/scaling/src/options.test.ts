import { ConfigError, type ScalingPolicy } from '@sageserve/core';
import { describe, expect, it } from 'vitest';
import { createChironLikeScaling } from './chiron-like.js';
import { withBounds, withCooldown } from './decorators.js';
import { createLtUtilizationAwareScaling } from './lt-ua.js';
import { createLtUtilizationScaling } from './lt-u.js';
import { createOracleScaling } from './oracle.js';
import { createReactiveScaling } from './reactive.js';
import { createSageScaling } from './sage.js';
import { createStaticScaling } from './static.js';

type Options = Readonly<Record<string, number>>;
const cooled = (options: Options): ScalingPolicy => withCooldown(createStaticScaling(), options as never);
const boundedBy = (options: Options): ScalingPolicy => withBounds(createStaticScaling(), options);

/** What each option may be at its edges, and what it may not. */
const CASES: readonly (readonly [
  string,
  (options: Options) => ScalingPolicy,
  string,
  readonly number[],
  readonly number[],
])[] = [
  ['reactive', createReactiveScaling, 'scaleOutAbove', [0.31, 1], [0, -1, 1.01, 0.3, NaN, Infinity]],
  ['reactive', createReactiveScaling, 'scaleInBelow', [0, 0.69], [-0.01, 0.7, 0.9, NaN]],
  ['lt-u', createLtUtilizationScaling, 'scaleOutAbove', [0.31, 0.9], [0, -1, 1.01, 0.95, 0.3, NaN]],
  ['lt-u', createLtUtilizationScaling, 'scaleInBelow', [0, 0.69], [-0.01, 0.7, NaN]],
  ['lt-u', createLtUtilizationScaling, 'passAbove', [0.7, 1, 5], [0.69, NaN]],
  ['lt-ua', createLtUtilizationAwareScaling, 'growFrom', [1, 9], [0.99, NaN]],
  ['lt-ua', createLtUtilizationAwareScaling, 'shrinkFrom', [0, 1], [-0.01, 1.01, NaN]],
  ['lt-ua', createLtUtilizationAwareScaling, 'doubtAfterMs', [0, 1], [-1, NaN]],
  ['chiron-like', createChironLikeScaling, 'busyAbove', [0.41, 1], [0, -1, 1.01, 0.4, NaN]],
  ['chiron-like', createChironLikeScaling, 'idleBelow', [0, 0.59], [-0.01, 0.6, NaN]],
  ['chiron-like', createChironLikeScaling, 'batchTokensPerS', [1], [0, -1, NaN]],
  ['chiron-like', createChironLikeScaling, 'deadlineShare', [0.01, 1], [0, -1, 1.01, NaN]],
  ['oracle', createOracleScaling, 'leadMs', [0], [-1, NaN]],
  ['sage', createSageScaling, 'burstAbove', [0.01, 1], [0, -1, 1.01, NaN]],
  ['sage', createSageScaling, 'drainHours', [0.1], [0, -1, NaN]],
  ...[
    'everyMs',
    'marginMs',
    'assumedDelayMs',
    'holdDelays',
    'settleMs',
    'slackMs',
    'arrivalShare',
    'burstQueueS',
    'maxOvershoot',
    'burstLastsMs',
    'burstHoldMs',
  ].map((name) => ['sage', createSageScaling, name, [0, 1], [-1, NaN, Infinity]] as const),
  ['a cooldown', cooled, 'cooldownMs', [0, 1], [-1, NaN]],
  ['bounds', boundedBy, 'minInstances', [0, 3], [-1, NaN]],
];

describe('options of strategies', () => {
  it.each(CASES)('%s: %s', (_, create, name, fine, wrong) => {
    for (const value of fine) expect(() => create({ [name]: value }), `${name} ${value}`).not.toThrow();
    for (const value of wrong) expect(() => create({ [name]: value }), `${name} ${value}`).toThrow(ConfigError);
  });

  it('that hang together are refused by the right name', () => {
    expect(() => createReactiveScaling({ scaleOutAbove: 0.5, scaleInBelow: 0.5 })).toThrow(
      'scaleInBelow: must be from 0 to under scaleOutAbove (0.5), not 0.5',
    );
    expect(() => createReactiveScaling({ scaleOutAbove: 0 })).toThrow('scaleOutAbove: ');
    expect(() => createReactiveScaling({ scaleOutAbove: 2, scaleInBelow: 1 })).toThrow('scaleOutAbove: ');
    expect(() => createLtUtilizationScaling({ scaleOutAbove: 0, scaleInBelow: 0 })).toThrow('scaleOutAbove: ');
    expect(() => createLtUtilizationScaling({ scaleOutAbove: 2, passAbove: 3 })).toThrow('scaleOutAbove: ');
    expect(() => createLtUtilizationScaling({ scaleOutAbove: 1, passAbove: 1 })).not.toThrow();
    expect(() => createChironLikeScaling({ busyAbove: 0, idleBelow: 0 })).toThrow('busyAbove: ');
    expect(() => createChironLikeScaling({ busyAbove: 2 })).toThrow('busyAbove: ');
    expect(() => withBounds(createStaticScaling(), { minInstances: 4, maxInstances: 3 })).toThrow(
      'minInstances: must be from 0 to maxInstances (3), not 4',
    );
    expect(() => withBounds(createStaticScaling(), { minInstances: 3, maxInstances: 3 })).not.toThrow();
    expect(() => createSageScaling({ burstAbove: () => 7 })).not.toThrow();
  });
});
