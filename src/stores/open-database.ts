import { realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ClassicLevel } from 'classic-level';
import { type KstreamdError, messageOf, StoreCorruptedError, StoreError } from '../core/errors.js';
import { diskError } from './disk-error.js';

export type Database = ClassicLevel<Buffer, Buffer>;

export interface LevelOptions {
  /** How long a database that another process holds is tried again, in milliseconds. Default 2000. */
  readonly lockWaitMs?: number | undefined;
  /** LevelDB's cache of uncompressed blocks, of each database. Default 8 MB. */
  readonly blockCacheBytes?: number | undefined;
  /** Size at which LevelDB turns its log into a table; up to two are held in memory. Default 4 MB. */
  readonly writeBufferBytes?: number | undefined;
}

const LOCK_WAIT_MS = 2000;
const LOCK_RETRY_MS = 50;
const MB = 1024 * 1024;

/**
 * What this process has open, by real path. LevelDB must not even try to open one of them: its attempt opens and closes
 * the file LOCK, and POSIX takes a process's lock away when it closes any descriptor of that file, so another process
 * could then open the database too. For the same reason nothing in this process may open a file LOCK.
 */
const openHere = new Set<string>();

/**
 * Opens the database in `directory`, making it when there is none. Rejects with `store/locked` when it is in use all the
 * while, `store/corrupt` when LevelDB finds its files damaged (a StoreCorruptedError), `store/not-writable` or
 * `store/disk-full` when the disk refuses, and `store/open` for anything else.
 */
export async function openDatabase(directory: string, options: LevelOptions): Promise<Database> {
  const deadline = performance.now() + (options.lockWaitMs ?? LOCK_WAIT_MS);
  for (;;) {
    const attempt = await tryToOpen(directory, options);
    if ('db' in attempt) return attempt.db;
    if (performance.now() >= deadline) throw locked(directory, attempt.lockedBy);
    await sleep(LOCK_RETRY_MS);
  }
}

async function tryToOpen(directory: string, options: LevelOptions): Promise<{ db: Database } | { lockedBy: unknown }> {
  const path = await realpath(directory).catch(() => directory);
  if (openHere.has(path)) return { lockedBy: undefined };
  openHere.add(path);
  const db: Database = new ClassicLevel(directory, {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    cacheSize: options.blockCacheBytes ?? 8 * MB,
    writeBufferSize: options.writeBufferBytes ?? 4 * MB,
  });
  try {
    await db.open();
  } catch (error) {
    openHere.delete(path);
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    if (isLocked(cause)) return { lockedBy: cause };
    throw unopenable(directory, cause);
  }
  await noteOpen(db, path);
  return { db };
}

/** Opens a database that was closed once more, on what is in its directory now. Rejects as `openDatabase` does. */
export async function reopenDatabase(db: Database): Promise<void> {
  const path = await realpath(db.location).catch(() => db.location);
  openHere.add(path);
  try {
    await db.open();
  } catch (error) {
    openHere.delete(path);
    throw unopenable(db.location, error instanceof Error && error.cause !== undefined ? error.cause : error);
  }
  await noteOpen(db, path);
}

async function noteOpen(db: Database, path: string): Promise<void> {
  const opened = await realpath(db.location);
  openHere.add(opened);
  db.once('closed', () => {
    openHere.delete(path);
    openHere.delete(opened);
  });
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}

/** Whether what LevelDB says means that its files are damaged or missing. Synchronous reads give IO errors no code. */
export function isDamage(cause: unknown): boolean {
  return codeOf(cause) === 'LEVEL_CORRUPTION' || /IO error: .*No such file/.test(messageOf(cause));
}

/** LevelDB says the same where the file system has no locks at all, as some network drives. */
function isLocked(error: unknown): boolean {
  return codeOf(error) === 'LEVEL_LOCKED' && !/No locks available|not supported|not implemented/.test(messageOf(error));
}

function locked(directory: string, cause: unknown): StoreError {
  return new StoreError('store/locked', `the state in ${directory} is in use by another process`, {
    cause,
    fix: 'stop the other instance, or give this one a --state-dir of its own',
  });
}

function unopenable(directory: string, cause: unknown): KstreamdError {
  const message = `cannot open the state in ${directory}`;
  const reason = messageOf(cause);
  if (isDamage(cause)) return new StoreCorruptedError(directory, `the state in ${directory} is damaged: ${reason}`, { cause, fix: REPAIR });
  return (
    diskError(message, dirname(directory), cause) ??
    new StoreError('store/open', `${message}: ${reason}`, { cause, fix: 'check the rights on the directory, and that its file system has locks' })
  );
}

/** What can be done where nothing can restore the state. */
export const REPAIR = 'put back a copy of the directory, or remove it to start from nothing';
