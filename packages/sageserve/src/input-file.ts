import { messageOf } from '@sageserve/core';
import { readBytes } from '@sageserve/trace';

/** All of a file or a pipe. Throws what the system throws, and an error for more than `mostMb` megabytes. */
export async function readWhole(path: string, mostMb: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of readBytes(path)) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > mostMb << 20) throw new Error(`it has more than ${mostMb} MB`);
  }
  return Buffer.concat(chunks);
}

/** Why a file could not be read, in words. */
export function readFailure(cause: unknown): string {
  const { code } = (cause ?? {}) as { code?: string };
  return code === 'ENOENT' ? 'there is no such file' : code === 'EISDIR' ? 'it is a folder' : messageOf(cause);
}
