// Proves that the packages can be published: packs each, checks the archive, installs all in an
// empty project outside the workspace, imports them, runs the example of each README there and
// compiles it under both module resolutions that users have.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageFolders, root, run } from './steps.mjs';

const packages = packageFolders().map((folder) => ({
  folder,
  manifest: JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')),
}));
// A new minor of what a package has as a peer would be a major of the package, and so of all.
for (const { manifest } of packages)
  for (const [name, range] of Object.entries(manifest.peerDependencies ?? {}))
    if (/^@?sageserve/.test(name) && !/^>=\d+\.\d+\.\d+ <\d+$/.test(range))
      throw new Error(`${manifest.name}: its peer ${name} must be of a range up to a major, not "${range}"`);
const work = mkdtempSync(join(tmpdir(), 'sageserve-packages-'));
try {
  const pack = ['pack', '--json', '--ignore-scripts', '--loglevel=error', '--pack-destination', work];
  const archives = JSON.parse(
    run('npm', [...pack, ...packages.map(({ folder }) => `--workspace=${folder}`)], { quiet: true }),
  );
  const tarballs = packages.map(({ manifest }) => {
    const packed = archives.find(({ name }) => name === manifest.name);
    const tarball = join(work, packed.filename);
    run('publint', ['run', tarball, '--strict'], { quiet: true });
    run(
      'attw',
      [
        tarball,
        '--profile',
        'esm-only',
        '--format',
        'ascii',
        ...(manifest.exports['./scenario.schema.json'] ? ['--exclude-entrypoints', 'scenario.schema.json'] : []),
      ],
      { quiet: true },
    );
    console.log(
      `   ${manifest.name.padEnd(20)} ${(packed.size / 1_024).toFixed(0).padStart(4)} kB packed, ` +
        `${packed.entryCount} files; publint and attw are clean`,
    );
    return tarball;
  });
  run('size-limit', ['--json'], { quiet: true });
  console.log('   every package is within its size budget');

  const project = join(work, 'project');
  mkdirSync(project);
  writeFileSync(
    join(project, 'package.json'),
    JSON.stringify({ name: 'somebody-else', private: true, type: 'module' }),
  );
  run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error', ...tarballs], {
    cwd: project,
    quiet: true,
  });
  // What a package is entered by: a package of parts has no entry of its own.
  const entries = packages.flatMap(({ manifest }) =>
    Object.entries(manifest.exports)
      .filter(([, target]) => target.default !== undefined)
      .map(([path]) => manifest.name + path.slice(1)),
  );
  writeFileSync(
    join(project, 'imports.mjs'),
    entries
      .map(
        (entry, i) =>
          `import * as p${i} from '${entry}';\nif (Object.keys(p${i}).length === 0) throw new Error('${entry} ` +
          `exports nothing');`,
      )
      .join('\n'),
  );
  run(process.execPath, ['imports.mjs'], { cwd: project, quiet: true });
  const examples = packages.map(({ folder, manifest }) => {
    const example = /```ts\n([\s\S]*?)```/.exec(readFileSync(join(root, folder, 'README.md'), 'utf8'))?.[1];
    if (example === undefined) throw new Error(`${folder}/README.md has no \`\`\`ts example`);
    const name = manifest.name.replace(/^@.*\//, '');
    // The example is plain JavaScript that also compiles: users may paste it into either.
    writeFileSync(join(project, `${name}.mjs`), example);
    writeFileSync(join(project, `${name}.ts`), example);
    return name;
  });
  for (const name of examples) run(process.execPath, [`${name}.mjs`], { cwd: project, quiet: true });
  run(process.execPath, [join('node_modules', '.bin', 'sageserve'), 'profiles', '--json'], {
    cwd: project,
    quiet: true,
  });
  console.log(
    `   ${packages.length} packages installed in an empty project; imports, README examples and the command run`,
  );
  for (const [module, moduleResolution] of [
    ['nodenext', 'nodenext'],
    ['esnext', 'bundler'],
  ]) {
    const options = [
      '--noEmit',
      '--strict',
      '--exactOptionalPropertyTypes',
      '--target',
      'es2023',
      '--lib',
      'es2023,dom',
      '--module',
      module,
      '--moduleResolution',
      moduleResolution,
      '--types',
      'node',
      '--typeRoots',
      join(root, 'node_modules', '@types'),
      '--skipLibCheck',
    ];
    run('tsc', [...options, ...examples.map((name) => `${name}.ts`)], { cwd: project, quiet: true });
  }
  console.log('   README examples compile under nodenext and bundler resolution');
} finally {
  rmSync(work, { recursive: true, force: true });
}
