import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const root = fileURLToPath(new URL('..', import.meta.url));
// Tests run on the sources; what is built and packed is tested apart.
const alias = readdirSync(`${root}packages`).flatMap((name) => {
  const published = name === 'sageserve' ? 'sageserve' : `@sageserve/${name}`;
  return [
    { find: new RegExp(`^${published}$`), replacement: `${root}packages/${name}/src/index.ts` },
    // What a package has beside its index is one file of that name.
    { find: new RegExp(`^${published}/([a-z-]+)$`), replacement: `${root}packages/${name}/src/$1.ts` },
  ];
});

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
    // Many tests wait for a command, a database or a clock: as many as there are cores leave some
    // of them idle.
    maxWorkers: availableParallelism() + 1,
    // A busy machine makes nothing wrong: what takes ten seconds alone may take a minute there.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
