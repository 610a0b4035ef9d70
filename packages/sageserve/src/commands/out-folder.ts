import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { placeOf } from '@sageserve/experiments';
import { cantWrite, makeBeside } from '@sageserve/trace';
import { notComplete } from '../ending.js';
import { refuseShared, takePlace } from './output-file.js';
import { makeFolder } from './result-folder.js';

const RESULT_FILE = /^(report\.html|comparison\.json|journal-.*\.jsonl)$/;
const isResult = (name: string): boolean => RESULT_FILE.test(name);

/**
 * Where comparisons go: written beside their place and moved there when all are complete.
 */
export class OutFolder {
  readonly partial: string;
  readonly #path: string;
  readonly #takeBack: () => Promise<void>;
  readonly #complete: () => void;

  private constructor(path: string, partial: string, takeBack: () => Promise<void>) {
    this.#complete = notComplete(partial, path);
    this.#path = path;
    this.partial = partial;
    this.#takeBack = takeBack;
  }

  /**
   * Throws `ConfigError` where nothing can be written, or where a folder of a scenario's name holds
   * files that are not results.
   */
  static async create(path: string, names: readonly string[]): Promise<OutFolder> {
    const places: string[] = [];
    for (const name of names) places.push(await placeOf(join(path, name), isResult));
    refuseShared(places, 'scenarios');
    const takeBack = await makeFolder(path);
    try {
      return new OutFolder(path, await makeBeside(path, 'folder'), takeBack);
    } catch (cause) {
      await takeBack();
      throw cantWrite(path, cause);
    }
  }

  /**
   * Each scenario's folder takes the place of an earlier one of its name; what else is there stays.
   */
  async publish(): Promise<void> {
    for (const name of await readdir(this.partial)) {
      await takePlace(join(this.partial, name), await placeOf(join(this.#path, name), isResult), isResult);
    }
    await rm(this.partial, { recursive: true });
    this.#complete();
  }

  async discard(): Promise<void> {
    await rm(this.partial, { recursive: true, force: true });
    this.#complete();
    await this.#takeBack();
  }
}
