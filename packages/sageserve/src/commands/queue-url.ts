import { ConfigError } from '@sageserve/core';
import { hasSecret } from '../queue/shown-url.js';

/** The URL from the option or the environment. One with a password is hidden from whoever lists the processes of the machine. */
export function urlOf(queue: string | boolean | undefined): string {
  const url = queue === true ? process.env['SAGESERVE_QUEUE'] : queue;
  if (typeof url === 'string' && hasSecret(url)) process.title = 'sageserve';
  if (url === undefined || url === false || url === '')
    throw new ConfigError('--queue', 'is needed: the URL of a PostgreSQL database, here or in SAGESERVE_QUEUE');
  return url;
}
