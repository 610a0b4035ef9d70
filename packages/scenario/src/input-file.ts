import { TraceFormatError } from '@sageserve/core';
import { readBytes } from '@sageserve/trace';
import { csvParseRows } from 'd3-dsv';

/**
 * All of a file or a pipe. Throws what the system throws, and an error for more than `mostMb`
 * megabytes.
 */
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

/**
 * Rows of a CSV that are not empty, each with the line on which it begins; fields in quotes may
 * have several. Throws `TraceFormatError` for a quote that has no end.
 */
export function csvRows(text: string, file: string): { readonly line: number; readonly fields: readonly string[] }[] {
  let line = 1;
  const rows = csvParseRows(text.replace(/^\uFEFF/, ''), (fields) => {
    const row = { line, fields };
    line++;
    for (const field of fields) line += field.match(/\r\n|\n|\r/g)?.length ?? 0;
    return row;
  });
  // A field that is quoted has two, and two more for each within.
  if (text.split('"').length % 2 === 0)
    throw new TraceFormatError({ file, line: rows.at(-1)?.line ?? 1 }, 'has a quote that is not closed');
  return rows.filter(({ fields }) => fields.some((field) => field.trim() !== ''));
}
