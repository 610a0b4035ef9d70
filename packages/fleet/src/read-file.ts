import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';

/**
 * All of a plain file, or of a link to one. Throws what the system throws, and an error for what is
 * none, and for more than `mostMb` megabytes.
 */
export async function readFile(path: string, mostMb: number): Promise<Uint8Array> {
  const about = await stat(path);
  // A pipe would hold a thread until somebody writes to it.
  if (!about.isFile()) throw new Error(about.isDirectory() ? 'it is a folder' : 'it is no plain file');
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of createReadStream(path) as AsyncIterable<Uint8Array>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > mostMb << 20) throw new Error(`it has more than ${mostMb} MB`);
  }
  return Buffer.concat(chunks);
}
