import { defineConfig } from 'tsup';

// Scripts that stand in pages: one file each, which loads nothing.
export default defineConfig((overrides) => ({
  entry: overrides.entry ?? [],
  outDir: 'dist/browser',
  format: 'iife',
  target: 'es2022',
  platform: 'browser',
  outExtension: () => ({ js: '.js' }),
  dts: false,
  sourcemap: false,
  clean: true,
  treeshake: false,
  splitting: false,
}));
