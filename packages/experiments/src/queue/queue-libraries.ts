import { MissingDependencyError } from '@sageserve/core';
import type * as graphileWorker from 'graphile-worker';
import type pg from 'pg';

/** What a queue needs and nothing else does: whoever has none need not install it. */
export interface QueueLibraries {
  readonly pg: typeof pg;
  readonly graphile: typeof graphileWorker;
}

/**
 * Loads the PostgreSQL client and the job queue. Throws `MissingDependencyError` with the command
 * that installs both where one is not there.
 */
export async function queueLibraries(
  load: (name: 'pg' | 'graphile-worker') => Promise<unknown> = loadByName,
): Promise<QueueLibraries> {
  try {
    const [{ default: client }, graphile] = (await Promise.all([load('pg'), load('graphile-worker')])) as [
      { readonly default: typeof pg },
      typeof graphileWorker,
    ];
    return { pg: client, graphile };
  } catch (cause) {
    if ((cause as { code?: string } | null)?.code === 'ERR_MODULE_NOT_FOUND')
      throw new MissingDependencyError('pg graphile-worker', 'a queue of runs', cause);
    throw cause;
  }
}

/** Each by a name that stands there: bundlers and checks of dependencies look for it. */
const loadByName = (name: 'pg' | 'graphile-worker'): Promise<unknown> =>
  name === 'pg' ? import('pg') : import('graphile-worker');
