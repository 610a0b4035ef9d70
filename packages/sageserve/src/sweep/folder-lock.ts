import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { ConfigError } from '@sageserve/core';
import { z } from 'zod';
import { cantWrite } from '@sageserve/trace';
import { notComplete } from '../commands/output-file.js';

const holder = z.object({ pid: z.number().int().positive(), host: z.string() });

/**
 * Takes a folder for this process: two sweeps in one would run everything twice. A lock whose process is gone is taken over; one of another machine is not, since nobody here can say. Returns how to give it back.
 * Throws `ConfigError` with who holds it.
 */
export function lockFolder(path: string, folder: string): () => void {
  for (let attempt = 0; ; attempt++) {
    try {
      writeFileSync(path, JSON.stringify({ pid: process.pid, host: hostname() }), { flag: 'wx' });
      break;
    } catch (cause) {
      if ((cause as { code?: string }).code !== 'EEXIST') throw cantWrite(path, cause);
      const other = holderOf(path);
      const gone = other === undefined || (other.host === hostname() && !isAlive(other.pid));
      if (!gone || attempt > 2)
        throw new ConfigError('--out', `another sweep is at work in ${folder}: process ${other?.pid ?? 'unknown'} on ${other?.host ?? 'this machine'}`, {
          hint: `Wait for it, or name another folder. If it is gone, remove ${path}.`,
        });
      rmSync(path, { force: true });
    }
  }
  const complete = notComplete(path);
  return () => {
    rmSync(path, { force: true });
    complete();
  };
}

/** Undefined for a lock that was being written when its process died. */
function holderOf(path: string): z.output<typeof holder> | undefined {
  try {
    return holder.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Somebody else's process lives too.
    return (error as { code?: string }).code === 'EPERM';
  }
}
