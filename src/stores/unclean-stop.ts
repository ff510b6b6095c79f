import { mkdir, open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, StoreError } from '../core/errors.js';
import { diskError } from './disk-error.js';

/** Lies in a task's directory while the task is open. */
const MARKER = 'open';

/**
 * Says that the task is about to be opened. It is on the disk when this resolves, before anything that the task writes, so
 * that it is found after a power cut too. The directory must be locked.
 */
export async function markOpen(taskDirectory: string): Promise<void> {
  try {
    await mkdir(taskDirectory, { recursive: true });
    await synced(join(taskDirectory, MARKER), 'w');
    await synced(taskDirectory, 'r');
  } catch (cause) {
    const message = `cannot write to ${taskDirectory}`;
    throw diskError(message, taskDirectory, cause) ?? new StoreError('store/open', `${message}: ${messageOf(cause)}`, { cause, fix: 'check the disk' });
  }
}

/** Says that all databases of the task were closed in order. */
export async function markClosed(taskDirectory: string): Promise<void> {
  await rm(join(taskDirectory, MARKER), { force: true });
}

/** Whether the task's last use did not end with `markClosed`: a crash, `kill -9`, a power cut (E4). To be asked with the directory locked. */
export async function wasUnclean(taskDirectory: string): Promise<boolean> {
  try {
    await stat(join(taskDirectory, MARKER));
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}

async function synced(path: string, flags: string): Promise<void> {
  const handle = await open(path, flags);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
