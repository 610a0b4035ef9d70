// Everything that must hold before a change lands: `npm test`. Arguments are handed to vitest, and
// then only the tests are run.
import { packageFolders, run, step } from './steps.mjs';

run(process.execPath, ['.ci/setup.mjs', 'build']);
const vitest = ['run', '--config', '.config/vitest.config.ts'];
const filters = process.argv.slice(2);
if (filters.length > 0) {
  run('vitest', [...vitest, ...filters]);
} else {
  step('types', () => run('turbo', ['run', 'typecheck', '--output-logs=errors-only'], { quiet: true }));
  step('lint', () =>
    run(
      'eslint',
      ['--config', '.config/eslint.config.mjs', '--max-warnings', '0', 'packages', 'apps', 'benchmarks', 'examples'],
      { quiet: true },
    ),
  );
  step('format', () =>
    run(
      'prettier',
      [
        '--config',
        '.config/prettier.json',
        '--log-level',
        'warn',
        '--check',
        'packages/*/src/**/*.ts',
        'apps/*/src/**/*.ts',
        'benchmarks/src/**/*.ts',
        'examples/*.{ts,mjs}',
        '.ci/*.mjs',
        '.config/*',
      ],
      {
        quiet: true,
      },
    ),
  );
  step('who imports whom', () =>
    run(
      'depcruise',
      [
        '--config',
        '.config/dependency-cruiser.cjs',
        ...packageFolders().map((folder) => `${folder}/src`),
        'apps/demo/src',
        'benchmarks/src',
      ],
      {
        quiet: true,
      },
    ),
  );
  step('the picture of who imports whom', () =>
    run(process.execPath, ['.ci/import-picture.mjs', '--check'], { quiet: true }),
  );
  step('unused files, exports and dependencies', () => run('knip', ['--config', '.config/knip.json'], { quiet: true }));
  step('packages as they are published', () => run(process.execPath, ['.ci/check-packages.mjs']));
  step('tests', () => run('vitest', vitest));
}
