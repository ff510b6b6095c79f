import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { StoreCorruptedError } from '../core/errors.js';
import { type Database, openDatabase } from './open-database.js';

/** A directory that no other process can lock. */
export interface DirectoryLock {
  release(): Promise<void>;
}

/** The least that LevelDB takes: the lock's database stays empty. */
const SMALL = { blockCacheBytes: 0, writeBufferBytes: 64 * 1024 };

/**
 * Locks a directory, making it when there is none, by an empty LevelDB database in `<directory>/lock`. Rejects as
 * `openDatabase` does: `store/locked` when another holds it for `waitMs`.
 *
 * Node has no file locks, and LevelDB's LOCK is one of the kernel (`fcntl`). The kernel lets go of it when the process
 * ends, however it ends, so nothing is left to clean up after `kill -9` or a power cut. It names no process, so it does not
 * matter that a container's process is number 1 each time. It belongs to the file, not to a name space of processes or of
 * networks, so containers that share a volume on one machine see it, and machines that share a network drive do where its
 * file system passes locks on (NFS 4; without it opening fails). A directory that is moved keeps its lock.
 */
export async function lockDirectory(directory: string, waitMs?: number): Promise<DirectoryLock> {
  const path = join(directory, 'lock');
  const open = (): Promise<Database> => openDatabase(path, { ...SMALL, lockWaitMs: waitMs });
  let db: Database;
  try {
    db = await open();
  } catch (error) {
    if (!(error instanceof StoreCorruptedError)) throw error;
    await emptyLock(path);
    db = await open();
  }
  return { release: () => db.close() };
}

/** Damage costs nothing here. The file LOCK stays: were it made anew, two processes could each lock one. */
async function emptyLock(path: string): Promise<void> {
  for (const name of await readdir(path)) if (name !== 'LOCK') await rm(join(path, name), { force: true });
}
