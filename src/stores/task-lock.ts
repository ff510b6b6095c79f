import { StoreError } from '../core/errors.js';
import { type DirectoryLock, lockDirectory } from './directory-lock.js';

export interface TaskDirectoryWish {
  /** The task's directory, `…/<partition>` (S14). */
  readonly directory: string;
  /** Left out: there is no directory to go to when this one is in use. */
  readonly instanceId?: string | undefined;
  /** Whether changelogs can fill another directory. */
  readonly restorable: boolean;
  /** How long a directory in use is waited for, in milliseconds. Default 2000. */
  readonly lockWaitMs?: number | undefined;
}

/** A task's directory that no other process can take. */
export interface LockedTaskDirectory {
  readonly directory: string;
  /** It is `<partition>.<instance>`. */
  readonly own: boolean;
  readonly lock: DirectoryLock;
}

/**
 * Chooses the directory of a task and locks it (S10): the one that is wished for, and where another process holds it all
 * the while, `<partition>.<instance>`, if the state can be restored there; else rejects with `store/locked`. What
 * lies in a directory of the instance's own from last time is as good as anything a restore starts from.
 */
export async function taskDirectoryFor({ directory, instanceId, restorable, lockWaitMs }: TaskDirectoryWish): Promise<LockedTaskDirectory> {
  try {
    return { directory, own: false, lock: await lockDirectory(directory, lockWaitMs) };
  } catch (error) {
    const inUse = error instanceof StoreError && error.code === 'store/locked';
    if (!inUse || !restorable || instanceId === undefined) throw error;
  }
  const own = `${directory}.${instanceId}`;
  return { directory: own, own: true, lock: await lockDirectory(own, lockWaitMs) };
}
