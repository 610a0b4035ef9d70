import { lstat, realpath, stat } from 'node:fs/promises';
import { messageOf, SageServeError } from '@sageserve/core';

/** Why something could not be written, in words for the reasons that are met most. */
function writeFailure(cause: unknown): string {
  const { code } = (cause ?? {}) as { code?: string };
  if (code === 'ENOSPC' || code === 'EDQUOT') return 'there is no space left on the disk';
  if (code === 'EFBIG') return 'the file would be larger than is allowed';
  if (code === 'EISDIR') return 'it is a folder';
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') return 'that is not permitted';
  if (code === 'ENOENT') return 'its folder is not there';
  return messageOf(cause);
}

/** Reasons that lie in the place that was named, as against a disk that takes no more. */
const WRONG_PLACE = new Set(['EISDIR', 'ENOTDIR', 'EACCES', 'EPERM', 'EROFS', 'ENOENT', 'ENAMETOOLONG', 'ELOOP']);

/**
 * What can't be written is told with the file and the reason: ERR_OUTPUT_PATH where the place is
 * wrong, else ERR_OUTPUT. An error that says so already stays as it is.
 */
export function cantWrite(path: string, cause: unknown): SageServeError {
  if (cause instanceof SageServeError) return cause;
  const { code } = (cause ?? {}) as { code?: string };
  return new SageServeError(
    code !== undefined && WRONG_PLACE.has(code) ? 'ERR_OUTPUT_PATH' : 'ERR_OUTPUT',
    `can't write ${path}: ${writeFailure(cause)}`,
    {
      cause,
    },
  );
}

/**
 * What is replaced when a file is written beside its place and moved there: the file that a link
 * leads to, and who may do what with it. Renaming over a file asks the folder for permission, not
 * the file: throws `SageServeError` (ERR_OUTPUT_PATH) for what is marked read-only, and for what is
 * no file.
 */
export async function writeTarget(path: string): Promise<{ readonly path: string; readonly mode: number | undefined }> {
  const refuse = (why: string): SageServeError => new SageServeError('ERR_OUTPUT_PATH', `can't write ${path}: ${why}`);
  const entry = await stat(path).catch(() => undefined);
  if (entry === undefined) {
    if (await leadsNowhere(path)) throw refuse('it is a link to what is not there');
    return { path, mode: undefined };
  }
  if (entry.isDirectory()) throw refuse('it is a folder');
  if (!entry.isFile()) throw refuse('it is no plain file');
  if ((entry.mode & 0o222) === 0) throw refuse('it is read-only');
  return { path: await realpath(path), mode: entry.mode & 0o777 };
}

/** Whether a path is a link, and what it leads to is not there. */
export async function leadsNowhere(path: string): Promise<boolean> {
  const [entry, target] = await Promise.all([lstat(path), stat(path)].map((about) => about.catch(() => undefined)));
  return entry !== undefined && target === undefined;
}
