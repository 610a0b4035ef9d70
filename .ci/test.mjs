// Everything that must hold before a change lands: `npm test`. Arguments are handed to vitest, and
// then only the tests are run.
import { beside, packageFolders, run } from './steps.mjs';

run(process.execPath, ['.ci/setup.mjs', 'build']);
const vitest = ['run', '--config', '.config/vitest.config.ts'];
const filters = process.argv.slice(2);
if (filters.length > 0) {
  run('vitest', [...vitest, ...filters]);
} else {
  const checks = [
    ['types', 'turbo', ['run', 'typecheck', '--output-logs=errors-only']],
    [
      'lint',
      'eslint',
      ['--config', '.config/eslint.config.mjs', '--max-warnings', '0', 'packages', 'apps', 'benchmarks', 'examples'],
    ],
    [
      'format',
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
    ],
    [
      'who imports whom',
      'depcruise',
      [
        '--config',
        '.config/dependency-cruiser.cjs',
        ...packageFolders().map((folder) => `${folder}/src`),
        'apps/demo/src',
        'benchmarks/src',
      ],
    ],
    ['the picture of who imports whom', process.execPath, ['.ci/import-picture.mjs', '--check']],
    ['unused files, exports and dependencies', 'knip', ['--config', '.config/knip.json']],
    ['packages as they are published', process.execPath, ['.ci/check-packages.mjs'], { shown: true }],
  ];
  const failed = [];
  const check = async (...given) => {
    if (!(await beside(...given))) failed.push(given[0]);
  };
  // Tests wait for half of their time: for commands, databases and clocks.
  await Promise.all([
    check('tests', 'vitest', vitest, { shown: true }),
    (async () => {
      for (const one of checks) await check(...one);
    })(),
  ]);
  if (failed.length > 0) {
    console.error(`failed: ${failed.join('; ')}`);
    process.exitCode = 1;
  }
}
