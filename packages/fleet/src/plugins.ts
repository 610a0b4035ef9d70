import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { messageOf, SageServeError } from '@sageserve/core';
import type { Catalogue } from './catalogue.js';
import type { Fleet } from './fleet-schema.js';
import { guarded } from './plugin-guards.js';

const KINDS = [
  'regionRouters',
  'instanceRouters',
  'batchSchedulers',
  'releasePolicies',
  'overflows',
  'strategies',
  'victims',
  'acquisitions',
  'performanceModels',
  'forecasters',
] as const satisfies readonly (keyof Catalogue)[];

/** What was loaded: address of the module → where it is named. */
const loadedFrom = new Map<string, string>();

/**
 * Where the plug-in is named from whose code an error came that nobody took, as far as its stack
 * tells.
 */
function pluginBehind(error: unknown): string | undefined {
  const stack = stackOf(error);
  // What has no stack is none of SageServe's.
  if (stack === undefined) return [...loadedFrom.values()].join(' or ') || undefined;
  for (const [url, where] of loadedFrom) if (stack.includes(url)) return where;
  return undefined;
}

/** Where an error comes from, where it says so: anything may be thrown. */
function stackOf(error: unknown): string | undefined {
  try {
    return error instanceof Error && typeof error.stack === 'string' ? error.stack : undefined;
  } catch {
    return undefined;
  }
}

/**
 * What is said of an error that nobody took where a plug-in is behind it; undefined where none is.
 */
export function leftBehind(error: unknown): string | undefined {
  const plugin = pluginBehind(error);
  return plugin === undefined ? undefined : `${plugin} left something behind that failed: ${messageOf(error)}`;
}

/**
 * Whether what plug-ins leave behind in this thread is told and no more: runs that are made in
 * threads of their own do not depend on it.
 */
export const leftovers = { areTold: false };

const told = new Set<string>();
const MOST_TOLD = 20;

/** Says it on standard error, once: what is left behind may fail again and again. */
export function tellOnce(message: string): void {
  if (told.size >= MOST_TOLD || told.has(message)) return;
  told.add(message);
  console.error(message);
}

/**
 * A module that a scenario or fleet names exports by default what it adds to the catalogue: names →
 * factories, by kind.
 */
export type Plugin = { readonly [K in (typeof KINDS)[number]]?: Catalogue[K] };

/**
 * Adds the policies of a scenario's or fleet's plug-ins to a catalogue. Paths are relative to its
 * file, or to the working directory where there is none. Throws `SageServeError` (ERR_PLUGIN) with
 * the path for a module that can't be loaded or does not export a catalogue, and for a name that is
 * taken. Where `hashOf` knows what is in a file, one that has changed is loaded anew by a process
 * that had it before.
 */
export function loadPlugins(
  fleet: Pick<Fleet, 'plugins'>,
  file: string | undefined,
  catalogue: Catalogue,
  hashOf: (path: string) => string | undefined = () => undefined,
): Promise<Catalogue> {
  return loadPluginFiles(fleet.plugins, file === undefined ? '.' : dirname(file), 'plugins', catalogue, hashOf);
}

/** The same for modules that are named elsewhere: `at` is the field or option that names them. */
export async function loadPluginFiles(
  paths: readonly string[],
  folder: string,
  at: string,
  catalogue: Catalogue,
  hashOf: (path: string) => string | undefined = () => undefined,
): Promise<Catalogue> {
  let extended = catalogue;
  for (const [i, path] of paths.entries()) {
    const where = `${at}[${i}] (${path})`;
    let loaded: { readonly default?: unknown };
    try {
      const url = pathToFileURL(resolve(folder, path));
      // The runtime would wait for whoever writes to a pipe, and nothing could end that.
      if (!(await stat(url)).isFile()) throw new Error('it is no plain file');
      const hash = hashOf(path);
      if (hash !== undefined) url.searchParams.set('hash', hash);
      loadedFrom.set(url.href, where);
      loaded = (await import(url.href)) as typeof loaded;
    } catch (cause) {
      throw new SageServeError('ERR_PLUGIN', `${where} can't be loaded: ${messageOf(cause)}`, { cause });
    }
    try {
      extended = extend(extended, loaded.default, where);
    } catch (cause) {
      throw cause instanceof SageServeError
        ? cause
        : new SageServeError('ERR_PLUGIN', `${where} can't be looked at: ${messageOf(cause)}`, { cause });
    }
  }
  return extended;
}

function extend(catalogue: Catalogue, plugin: unknown, where: string): Catalogue {
  const hint =
    `It must export by default an object with one or more of ${KINDS.join(', ')}: tables of names ` + 'and factories.';
  if (typeof plugin !== 'object' || plugin === null)
    throw new SageServeError('ERR_PLUGIN', `${where} has no default export of a catalogue`, { hint });
  const extended: Record<string, unknown> = { ...catalogue };
  for (const [kind, factories] of Object.entries(plugin)) {
    if (!isKind(kind))
      throw new SageServeError('ERR_PLUGIN', `${where} exports "${kind}", which is not a kind of policy`, { hint });
    if (typeof factories !== 'object' || factories === null)
      throw new SageServeError('ERR_PLUGIN', `${where}: ${kind} is no table of names and factories`, { hint });
    for (const [name, factory] of Object.entries(factories as Record<string, unknown>)) {
      if (typeof factory !== 'function')
        throw new SageServeError('ERR_PLUGIN', `${where}: ${kind}.${name} is not a function`, {
          hint: 'A factory takes options and returns the policy.',
        });
      if (Object.hasOwn(catalogue[kind], name))
        throw new SageServeError('ERR_PLUGIN', `${where}: ${kind}.${name} is taken already`, {
          hint: 'Give it another name.',
        });
    }
    extended[kind] = { ...catalogue[kind], ...guarded(kind, factories as Catalogue[typeof kind], where) };
  }
  return extended as unknown as Catalogue;
}

function isKind(kind: string): kind is (typeof KINDS)[number] {
  return (KINDS as readonly string[]).includes(kind);
}
