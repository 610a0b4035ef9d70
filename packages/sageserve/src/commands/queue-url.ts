import { ConfigError } from '@sageserve/core';

/** The URL from the option or the environment. */
export function urlOf(queue: string | boolean | undefined): string {
  const url = queue === true ? process.env['SAGESERVE_QUEUE'] : queue;
  if (url === undefined || url === false || url === '')
    throw new ConfigError('--queue', 'is needed: the URL of a PostgreSQL database, here or in SAGESERVE_QUEUE');
  return url;
}
