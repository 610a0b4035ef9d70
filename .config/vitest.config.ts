import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const root = fileURLToPath(new URL('..', import.meta.url));
// Tests run on the sources; what is built and packed is tested apart.
const alias = Object.fromEntries(
  readdirSync(`${root}packages`).map((name) => [
    name === 'sageserve' ? 'sageserve' : `@sageserve/${name}`,
    `${root}packages/${name}/src/index.ts`,
  ]),
);

export default defineConfig({
  root,
  resolve: { alias },
  test: {
    include: [
      'packages/*/src/**/*.test.ts',
      'apps/*/src/**/*.test.ts',
      'benchmarks/src/**/*.test.ts',
      'examples/**/*.test.ts',
    ],
    // Many tests wait for a command that they run: one at a time leaves a core idle.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
