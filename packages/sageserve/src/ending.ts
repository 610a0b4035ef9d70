import { rmdirSync, rmSync } from 'node:fs';
import { messageOf } from '@sageserve/core';

/** Codes that the command ends with. */
export const FAILED = 1;
export const WRONG_USE = 2;
export const INTERRUPTED = 130;
/** What was interrupted has so long to end by itself. */
export const GRACE_MS = 800;
export const NOTHING_LEFT = 'interrupted: nothing incomplete was left behind';

/**
 * What the thread at work tells the one that ends the process when it must: it may be deaf by then.
 */
export type EndingMessage =
  | { readonly unfinished: string; readonly complete: boolean }
  /** A folder that was made, and is to go where nothing came into it. */
  | { readonly made: string }
  /** The command has ended, and its thread is about to. */
  | { readonly code: number }
  /** How long it may take to put away what is held now (ms). */
  | { readonly putAwayMs: number };

let tell: (message: EndingMessage) => void = () => undefined;

/** Names who is told, besides this thread, of what must be put away before the process ends. */
export function tellOfEnding(to: typeof tell): void {
  tell = to;
}

/**
 * Files and folders that are not complete yet. Whoever ends the process by force takes them with
 * it.
 */
const unfinished = new Set<string>();
/** Where what is not complete is to stand: names beside that are nothing to tell anybody. */
const places = new Map<string, string>();

/**
 * Notes a file or folder as not complete, and where it is moved when it is; returns how to say that
 * it is, or is gone.
 */
export function notComplete(path: string, place?: string): () => void {
  if (place !== undefined) places.set(path, place);
  note(path, false);
  return () => {
    note(path, true);
  };
}

function note(path: string, complete: boolean): void {
  if (complete) unfinished.delete(path);
  else unfinished.add(path);
  tell({ unfinished: path, complete });
}

/** Folders that were made, those around others first. */
const made: string[] = [];

/** Notes a folder that was made: it is no result by itself. */
export function noteMade(path: string): void {
  made.push(path);
  tell({ made: path });
}

/** A message in which what was not complete has the name that it was to have. */
export function withPlaces(message: string): string {
  let told = message;
  for (const [path, place] of places) told = told.replaceAll(path, place);
  return told;
}

/** To be called before the process ends by force. */
export function removeUnfinished(): void {
  for (const path of unfinished) {
    try {
      rmSync(path, { recursive: true, force: true });
    } catch (error) {
      console.error(`could not remove ${path}: ${messageOf(error)}`);
    }
  }
  for (const path of made.toReversed()) {
    try {
      rmdirSync(path);
    } catch {
      // There is something in it.
    }
  }
}

/**
 * What somebody holds for others and must put away before the process ends: how long that may take
 * (ms).
 */
const held = new Set<{ readonly putAwayMs: number }>();
/** The same of the thread at work, as it told it. */
let heldThereMs = 0;

/** Notes that something is held for others; returns how to say that it is put away. */
export function holdForOthers(mostMs: number): () => void {
  const one = { putAwayMs: mostMs };
  held.add(one);
  tell({ putAwayMs: putAwayMs() });
  return () => {
    held.delete(one);
    tell({ putAwayMs: putAwayMs() });
  };
}

/** How long it may take to put away what is held now; 0 where nothing is. */
export function putAwayMs(): number {
  return Math.max(heldThereMs, ...[...held].map((one) => one.putAwayMs));
}

/** Takes what the thread at work told; returns the code with which it ends, where it does. */
export function heed(message: EndingMessage): number | undefined {
  if ('code' in message) return message.code;
  if ('unfinished' in message) note(message.unfinished, message.complete);
  else if ('made' in message) noteMade(message.made);
  else heldThereMs = message.putAwayMs;
  return undefined;
}

/** Ends the thread at work. A plug-in that ends it says nothing first. */
export function leave(code: number): never {
  tell({ code });
  process.exit(code);
}
