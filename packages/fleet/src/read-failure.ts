import { messageOf } from '@sageserve/core';

/** Why a file could not be read, in words. */
export function readFailure(cause: unknown): string {
  const { code } = (cause ?? {}) as { code?: string };
  return code === 'ENOENT' ? 'there is no such file' : code === 'EISDIR' ? 'it is a folder' : messageOf(cause);
}
