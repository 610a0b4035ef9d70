import { linkSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { ConfigError, murmur3x86128 } from '@sageserve/core';
import { z } from 'zod';
import { cantWrite } from '@sageserve/trace';
import { fileName } from '../output/file-name.js';
import { type OutputWatch, UNWATCHED } from '../output/output-watch.js';

const holder = z.object({
  pid: z.number().int().positive(),
  host: z.string(),
  /** When the process began, as its system tells it: numbers of processes are given again. */
  began: z.string().optional(),
});
type Holder = z.output<typeof holder>;

/** Locks of this process. */
const own = new Set<string>();
let asked = 0;

/**
 * Takes a folder for this process: two sweeps in one would run everything twice. A lock whose
 * process is gone is taken over, by one; one of another machine is not, since nobody here can say.
 * Returns how to give it back. Throws `ConfigError` with who holds it.
 */
export function lockFolder(path: string, folder: string, watch: OutputWatch = UNWATCHED): () => void {
  // Unlike any other of this folder: of this machine, this process, and this time that it asks.
  const id = `${fileName(hostname())}-${process.pid}-${beganOf(process.pid) ?? 0}-${++asked}`;
  const written = `${path}.${id}.partial`;
  const text = JSON.stringify({ pid: process.pid, host: hostname(), began: beganOf(process.pid), id });
  const writtenAway = watch.notComplete(written);
  try {
    writeFileSync(written, text);
    for (let attempt = 0; !take(path, written, text); attempt++) {
      const found = textOf(path);
      if (found === undefined) continue;
      const other = holderOf(found);
      if (attempt > MOST_ATTEMPTS || !isGone(other, found))
        throw new ConfigError(
          '--out',
          `another sweep is at work in ${folder}: process ${other?.pid ?? 'unknown'} on ` +
            (other?.host ?? 'this machine'),
          {
            hint: `Wait for it, or name another folder. If it is gone, remove ${path}.`,
          },
        );
      if (takeOver(path, found, written, text)) break;
    }
  } catch (cause) {
    throw cantWrite(path, cause);
  } finally {
    rmSync(written, { force: true });
    writtenAway();
  }
  own.add(text);
  const complete = watch.notComplete(path);
  return () => {
    own.delete(text);
    rmSync(path, { force: true });
    complete();
  };
}

const MOST_ATTEMPTS = 5;

/** Puts what was written in its place where nothing is, all at once: nobody sees a part of it. */
function take(path: string, written: string, text: string): boolean {
  try {
    linkSync(written, path);
    return true;
  } catch (cause) {
    const { code } = cause as { code?: string };
    if (code === 'EEXIST') return false;
    if (!NO_LINKS.has(code ?? '')) throw cause;
  }
  try {
    writeFileSync(path, text, { flag: 'wx' });
    return true;
  } catch (cause) {
    if ((cause as { code?: string }).code === 'EEXIST') return false;
    throw cause;
  }
}

/** File systems that have no two names for a file. */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

/**
 * Takes the place of a lock whose process is gone, with a file in which one's own is written. Of
 * several that saw the same lock one may: it claims what the lock says, looks again, and puts its
 * own over it. A claim is a lock itself: that of a process which is gone is taken over alike.
 */
export function takeOver(path: string, found: string, written: string, text: string): boolean {
  const claim = claimOf(path, found);
  if (!take(claim, written, text)) {
    const claimed = textOf(claim);
    if (claimed === undefined || !isGone(holderOf(claimed), claimed)) return false;
    const own = `${written}.claim`;
    writeFileSync(own, text);
    try {
      if (!takeOver(claim, claimed, own, text)) return false;
    } finally {
      rmSync(own, { force: true });
    }
  }
  try {
    if (textOf(path) !== found) return false;
    renameSync(written, path);
    return true;
  } finally {
    rmSync(claim, { force: true });
  }
}

/** Where whoever takes over a lock that says this stands until it has. */
export function claimOf(path: string, found: string): string {
  return `${path}.${[...murmur3x86128(found)].map((word) => word.toString(16)).join('')}.partial`;
}

function textOf(path: string): string | undefined {
  try {
    // Nobody may be at the other end of a pipe.
    if (!statSync(path).isFile())
      throw new ConfigError('--out', `${path} is no plain file`, { hint: 'Name another folder.' });
    return readFileSync(path, 'utf8');
  } catch (cause) {
    if ((cause as { code?: string }).code === 'ENOENT') return undefined;
    throw cause;
  }
}

/** Undefined for a lock that was being written when its process died. */
function holderOf(text: string): Holder | undefined {
  try {
    return holder.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function isGone(other: Holder | undefined, text: string): boolean {
  if (other === undefined) return true;
  if (other.host !== hostname()) return false;
  // One of the same number that had it before this one began, as in a container that was started
  // again.
  if (other.pid === process.pid) return !own.has(text);
  const began = beganOf(other.pid);
  return !isAlive(other.pid) || (other.began !== undefined && began !== undefined && began !== other.began);
}

/**
 * When a process began, in ticks since the machine did; undefined where the system does not tell.
 */
function beganOf(pid: number): string | undefined {
  return aboutProcess(pid)?.[19];
}

/** Fields of /proc/PID/stat from the state on (proc(5)); undefined where there is none. */
function aboutProcess(pid: number): string[] | undefined {
  try {
    const about = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in brackets may have anything in it.
    return about.slice(about.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

/** Processes that have ended, and whose parent has not asked how yet. */
const ENDED = new Set(['Z', 'X']);

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !ENDED.has(aboutProcess(pid)?.[0] ?? '');
  } catch (error) {
    // Somebody else's process lives too.
    return (error as { code?: string }).code === 'EPERM';
  }
}
