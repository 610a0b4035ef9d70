import { defineConfig } from 'tsup';

export default defineConfig((overrides) => ({
  entry: overrides.entry ?? ['src/index.ts'],
  format: 'esm',
  target: 'node20',
  platform: 'node',
  dts: true,
  sourcemap: true,
  clean: true,
  treeshake: true,
  splitting: true,
}));
