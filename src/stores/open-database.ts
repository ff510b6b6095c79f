import { setTimeout as sleep } from 'node:timers/promises';
import { ClassicLevel } from 'classic-level';
import { messageOf, StoreError } from '../core/errors.js';

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
 * Opens the database in `directory`, making it when there is none. Rejects with a StoreError: `store/locked` when
 * another process holds it all the while, `store/open` when it is damaged or out of reach.
 */
export async function openDatabase(directory: string, options: LevelOptions): Promise<Database> {
  const deadline = performance.now() + (options.lockWaitMs ?? LOCK_WAIT_MS);
  for (;;) {
    const db: Database = new ClassicLevel(directory, {
      keyEncoding: 'buffer',
      valueEncoding: 'buffer',
      cacheSize: options.blockCacheBytes ?? 8 * MB,
      writeBufferSize: options.writeBufferBytes ?? 4 * MB,
    });
    try {
      await db.open();
      return db;
    } catch (error) {
      const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
      if (!isLocked(cause)) throw unopenable(directory, cause);
      if (performance.now() >= deadline) throw locked(directory, cause);
    }
    await sleep(LOCK_RETRY_MS);
  }
}

function isLocked(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === 'LEVEL_LOCKED';
}

function locked(directory: string, cause: unknown): StoreError {
  return new StoreError('store/locked', `the state in ${directory} is in use by another process`, {
    cause,
    fix: 'stop the other instance, or give this one a --state-dir of its own',
  });
}

function unopenable(directory: string, cause: unknown): StoreError {
  return new StoreError('store/open', `cannot open the state in ${directory}: ${messageOf(cause)}`, {
    cause,
    fix: 'check the rights on the directory; if its files are damaged, put back a copy or remove it to start from nothing',
  });
}
