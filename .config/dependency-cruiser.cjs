// Who may import whom. A row allows; whatever no row allows is an error.
const allowed = {
  core: [],
  trace: ['core'],
  perf: ['core'],
  metrics: ['core'],
  threads: ['core'],
  forecast: ['core', 'threads'],
  'forecast-tfjs': ['core', 'forecast'],
  optimize: ['core', 'threads'],
  routing: ['core'],
  scaling: ['core'],
  testing: ['core'],
  views: ['core'],
  adapters: ['core', 'views'],
  controller: ['core'],
  sim: ['core', 'trace', 'perf', 'metrics', 'views'],
  fleet: ['core', 'perf', 'forecast', 'forecast-tfjs', 'optimize', 'routing', 'scaling'],
  // Policies come through fleet; of optimize it is the bounds.
  scenario: ['core', 'trace', 'metrics', 'forecast', 'optimize', 'sim', 'controller', 'fleet'],
  experiments: ['core', 'threads', 'trace', 'metrics', 'forecast', 'sim', 'controller', 'fleet', 'scenario'],
  sageserve: [
    'core',
    'trace',
    'perf',
    'metrics',
    'forecast',
    'optimize',
    'routing',
    'scaling',
    'sim',
    'controller',
    'fleet',
    'scenario',
    'experiments',
  ],
};

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-orphans',
      severity: 'error',
      from: { orphan: true, pathNot: ['\\.test\\.ts$', '\\.d\\.ts$', '/dist/'] },
      to: {},
    },
    ...Object.entries(allowed).map(([from, to]) => ({
      name: `${from}-imports`,
      comment: `${from} may import ${to.length === 0 ? 'no other package' : to.join(', ')}`,
      severity: 'error',
      // Tests, and the fixtures that only they import, may use more.
      from: { path: `^packages/${from}/src/`, pathNot: '(\\.test|/fixtures)\\.ts$' },
      to: { path: '^packages/[^/]+/', pathNot: [from, ...to].map((name) => `^packages/${name}/`).join('|') },
    })),
    {
      name: 'no-product-imports-of-benchmarks',
      severity: 'error',
      from: { path: '^packages/' },
      to: { path: '^(apps|benchmarks|examples)/' },
    },
    {
      name: 'tests-are-leaves',
      severity: 'error',
      from: { pathNot: '\\.test\\.ts$' },
      to: { path: '(\\.test|/fixtures)\\.ts$' },
    },
  ],
  options: {
    // A package is entered through what it builds to: `npm test` builds first.
    doNotFollow: { path: ['node_modules', '/dist/'] },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'default'],
      extensions: ['.ts', '.js'],
    },
  },
};
