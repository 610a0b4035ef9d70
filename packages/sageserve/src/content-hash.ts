import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';

/** Files that this process has read before, by path: read again only when their size or time of change says so. */
const known = new Map<string, { readonly size: number; readonly mtimeMs: number; readonly hash: string }>();

/** SHA-256 of a file, as hexadecimal digits, in constant memory. Throws what the file system throws. */
export async function contentHash(path: string): Promise<string> {
  const { size, mtimeMs } = await stat(path);
  const before = known.get(path);
  if (before?.size === size && before.mtimeMs === mtimeMs) return before.hash;
  const digest = createHash('sha256');
  for await (const chunk of createReadStream(path)) digest.update(chunk as Buffer);
  const hash = digest.digest('hex');
  known.set(path, { size, mtimeMs, hash });
  return hash;
}
