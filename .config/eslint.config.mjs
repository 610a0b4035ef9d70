import tseslint from 'typescript-eslint';

const clocks = 'Time comes from the host: take nowMs as an argument (only wall-clock.ts may read a clock).';
const powers =
  'Its last bit differs between versions of Node: use power() or square() of @sageserve/core. Powers of two ' +
  'literals are exact.';
const randomness = 'Take an rng option made by createRng: the same seed must give the same bytes.';

export default tseslint.config(
  { ignores: ['**/dist/**', '**/node_modules/**', '**/*.mjs', '**/bin/*.js', '.config/**'] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      // Numbers and unions of them are what templates here are made of.
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true, allowNullish: true },
      ],
      // Typed arrays and grids are indexed within bounds that their loops set.
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-confusing-void-expression': 'off',
      // In columns compiled without noUncheckedIndexedAccess, a look-up that may miss is checked
      // where the compiler sees no need.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      // Streams are asynchronous by their interface, whether this one has to wait or not.
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true },
      ],
      eqeqeq: 'error',
      // What prettier can't break: text in quotes is left to whoever writes it.
      'max-len': ['error', { code: 120, comments: 100, ignoreStrings: true, ignoreTemplateLiterals: true }],
      'no-restricted-globals': [
        'error',
        ...['performance', 'setTimeout', 'setInterval', 'setImmediate'].map((name) => ({ name, message: clocks })),
        { name: 'crypto', message: randomness },
      ],
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: clocks },
        { object: 'Math', property: 'random', message: randomness },
        { object: 'Math', property: 'pow', message: powers },
        { object: 'process', property: 'hrtime', message: clocks },
      ],
      'no-restricted-syntax': [
        'error',
        { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: clocks },
        {
          selector:
            "BinaryExpression[operator='**']:not([left.bigint]):not([left.type='Literal'][right.type='Literal'])",
          message: powers,
        },
      ],
      'no-restricted-imports': [
        'error',
        {
          paths: [
            ...[
              'node:timers',
              'node:timers/promises',
              'node:perf_hooks',
              'timers',
              'timers/promises',
              'perf_hooks',
            ].map((name) => ({ name, message: clocks })),
            { name: 'node:crypto', message: randomness },
            { name: 'crypto', message: randomness },
          ],
        },
      ],
    },
  },
  {
    files: ['**/wall-clock.ts', '**/content-hash.ts'],
    rules: {
      'no-restricted-globals': 'off',
      'no-restricted-properties': 'off',
      'no-restricted-imports': 'off',
      'no-restricted-syntax': 'off',
    },
  },
  {
    // Tests drive real processes, and check what the types forbid.
    files: ['**/*.test.ts'],
    rules: {
      'no-restricted-globals': 'off',
      'no-restricted-syntax': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/no-empty-function': 'off',
    },
  },
);
