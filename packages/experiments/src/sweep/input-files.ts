import { stat } from 'node:fs/promises';
import { messageOf, SageServeError } from '@sageserve/core';
import type { Scenario } from '@sageserve/scenario';
import { contentHash } from '../content-hash.js';

/** A file that a scenario names, and what was in it. */
export interface InputFile {
  readonly path: string;
  readonly hash: string;
}

/**
 * Traces and plug-ins of scenarios, each read once. Of a plug-in its own file counts, not what that
 * imports.
 */
export class InputFiles {
  readonly #known = new Map<string, Promise<string>>();

  /** Throws `SageServeError` (ERR_TRACE_FILE) for a file that can't be read. */
  of(scenario: Scenario): Promise<InputFile[]> {
    const { trace } = scenario.traffic;
    const paths = [...(trace === undefined ? [] : [trace]), ...scenario.plugins];
    return Promise.all(paths.map(async (path) => ({ path, hash: await this.#hashOf(path) })));
  }

  #hashOf(path: string): Promise<string> {
    const known = this.#known.get(path) ?? hashOf(path);
    this.#known.set(path, known);
    return known;
  }
}

async function hashOf(path: string): Promise<string> {
  try {
    const about = await stat(path);
    if (!about.isFile())
      throw new Error(about.isDirectory() ? 'it is a folder' : 'a pipe can be read once, and each run reads it');
    return await contentHash(path);
  } catch (cause) {
    throw new SageServeError('ERR_TRACE_FILE', `can't read ${path}: ${messageOf(cause)}`, { cause });
  }
}

/**
 * Throws `SageServeError` (ERR_RUN) where a file is not what it was when the sweep was read: a
 * result would be kept as that of another run.
 */
export async function checkInputs(inputs: readonly InputFile[]): Promise<void> {
  for (const { path, hash } of inputs)
    if ((await hashOf(path)) !== hash)
      throw new SageServeError('ERR_RUN', `${path} is not what it was when the sweep was read`, {
        hint: 'Read the sweep again, or bring the same file to this machine.',
      });
}
