import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';

/**
 * Files that this process has read before, by path: read again only when their size or time of
 * change says so.
 */
const known = new Map<string, { readonly size: number; readonly mtimeMs: number; readonly hash: string }>();

/**
 * SHA-256 of a file, as hexadecimal digits, in constant memory. Throws what the file system throws.
 */
export async function contentHash(path: string): Promise<string> {
  const about = await stat(path);
  // A pipe would be waited for without an end, and be empty for whoever reads it then.
  if (!about.isFile()) throw new Error(about.isDirectory() ? 'it is a folder' : 'it is no plain file');
  const { size, mtimeMs } = about;
  const before = known.get(path);
  if (before?.size === size && before.mtimeMs === mtimeMs) return before.hash;
  const digest = createHash('sha256');
  for await (const chunk of createReadStream(path)) digest.update(chunk as Buffer);
  const hash = digest.digest('hex');
  known.set(path, { size, mtimeMs, hash });
  return hash;
}
