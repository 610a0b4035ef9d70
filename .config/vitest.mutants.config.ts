import base from './vitest.config.js';

// Only what tests the mutated files by themselves: a mutant that nothing but a whole simulation
// notices counts as one that survives.
const tests = [
  'controller/src/**',
  'scaling/src/**',
  'routing/src/**',
  'sim/src/fleet',
  'fleet/src/fleet-problem',
  'core/src/mean-mix',
  'views/src/**',
];

export default {
  ...base,
  test: {
    ...base.test,
    include: tests.map((path) => `packages/${path}${path.endsWith('**') ? '/*' : ''}.test.ts`),
    testTimeout: 10_000,
  },
};
