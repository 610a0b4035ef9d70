import { resolve } from 'node:path';
import { dirname } from 'node:path';
import { pathToFileURL } from 'node:url';
import { SageServeError } from '@sageserve/core';
import type { Catalogue } from '../catalogue.js';
import type { Scenario } from './schema.js';

const KINDS = [
  'regionRouters',
  'instanceRouters',
  'batchSchedulers',
  'releasePolicies',
  'strategies',
  'performanceModels',
  'forecasters',
] as const satisfies readonly (keyof Catalogue)[];

/** A module that a scenario names exports by default what it adds to the catalogue: names → factories, by kind. */
export type Plugin = { readonly [K in (typeof KINDS)[number]]?: Catalogue[K] };

/**
 * Adds the policies of a scenario's plug-ins to a catalogue. Paths are relative to the scenario file, or to the working directory where there is none. Throws `SageServeError` (ERR_PLUGIN) with the path for a module
 * that can't be loaded or does not export a catalogue, and for a name that is taken. Where `hashOf` knows what is in a file, one that has changed is loaded anew by a process that had it before.
 */
export async function loadPlugins(
  scenario: Scenario,
  file: string | undefined,
  catalogue: Catalogue,
  hashOf: (path: string) => string | undefined = () => undefined,
): Promise<Catalogue> {
  let extended = catalogue;
  for (const [i, path] of scenario.plugins.entries()) {
    const where = `plugins[${i}] (${path})`;
    let loaded: { readonly default?: unknown };
    try {
      const url = pathToFileURL(resolve(file === undefined ? '.' : dirname(file), path));
      const hash = hashOf(path);
      if (hash !== undefined) url.searchParams.set('hash', hash);
      loaded = (await import(url.href)) as typeof loaded;
    } catch (cause) {
      throw new SageServeError('ERR_PLUGIN', `${where} can't be loaded: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    }
    extended = extend(extended, loaded.default, where);
  }
  return extended;
}

function extend(catalogue: Catalogue, plugin: unknown, where: string): Catalogue {
  const hint = `It must export by default an object with one or more of ${KINDS.join(', ')}: tables of names and factories.`;
  if (typeof plugin !== 'object' || plugin === null) throw new SageServeError('ERR_PLUGIN', `${where} has no default export of a catalogue`, { hint });
  const extended: Record<string, unknown> = { ...catalogue };
  for (const [kind, factories] of Object.entries(plugin)) {
    if (!(KINDS as readonly string[]).includes(kind))
      throw new SageServeError('ERR_PLUGIN', `${where} exports "${kind}", which is not a kind of policy`, { hint });
    const known = catalogue[kind as keyof Catalogue];
    for (const [name, factory] of Object.entries((factories ?? {}) as Record<string, unknown>)) {
      if (typeof factory !== 'function')
        throw new SageServeError('ERR_PLUGIN', `${where}: ${kind}.${name} is not a function`, { hint: 'A factory takes options and returns the policy.' });
      if (Object.hasOwn(known, name)) throw new SageServeError('ERR_PLUGIN', `${where}: ${kind}.${name} is taken already`, { hint: 'Give it another name.' });
    }
    extended[kind] = { ...known, ...(factories as object) };
  }
  return extended as unknown as Catalogue;
}
