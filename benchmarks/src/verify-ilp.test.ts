import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createPlacementOptimizer } from 'sageserve';
import { describe, expect, it } from 'vitest';
import { readGoldenPlacements } from './golden-placement.js';

const dir = fileURLToPath(new URL('../../../shared/golden/ilp', import.meta.url));
const present = existsSync(dir);
if (!present) console.log(`${dir} is not there: golden placements are skipped`);

describe.skipIf(!present)('golden placements', () => {
  const optimizer = createPlacementOptimizer({ variant: 'paper', elastic: false });
  // The one that nobody closed takes half a minute: `npm run verify -- ilp` has it.
  const cases = present ? readGoldenPlacements(dir).filter(({ expected }) => expected.status !== 'best-known') : [];
  it.each(cases.map((golden) => [golden.id, golden] as const))('%s', async (_, { problem, expected }) => {
    const { status, objectiveUsd } = await optimizer.solve(problem);
    expect(status).toBe(expected.status);
    if (expected.objective !== null)
      expect(Math.abs(objectiveUsd! - expected.objective)).toBeLessThanOrEqual(
        1e-6 * Math.max(1, Math.abs(expected.objective)),
      );
  });
});
