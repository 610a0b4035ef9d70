import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const root = fileURLToPath(new URL('..', import.meta.url));
// Tests run on the sources; what is built and packed is tested apart.
const alias = Object.fromEntries(
  readdirSync(`${root}packages`).map((name) => [name === 'sageserve' ? 'sageserve' : `@sageserve/${name}`, `${root}packages/${name}/src/index.ts`]),
);

export default defineConfig({
  root,
  resolve: { alias },
  test: {
    include: ['packages/*/src/**/*.test.ts', 'apps/*/src/**/*.test.ts', 'benchmarks/src/**/*.test.ts', 'examples/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
