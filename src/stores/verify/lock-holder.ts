import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * The id of the process that has the database open; undefined when none has, or where the system does not tell: outside
 * Linux, and for processes of another container. It looks the lock up and does not try to take it: closing a file
 * gives up all locks that this very process holds on it.
 */
export async function lockHolder(directory: string): Promise<number | undefined> {
  try {
    const { dev, ino } = await stat(join(directory, 'LOCK'), { bigint: true });
    const file = `${hex(majorOf(dev))}:${hex(minorOf(dev))}:${ino}`;
    const locks = (await readFile('/proc/locks', 'utf8')).split('\n').map((line) => line.trim().split(/\s+/));
    // 1: POSIX ADVISORY WRITE <pid> <device>:<inode> <from> <to>; a process that waits has -> in the second field.
    const pid = locks.find((fields) => fields[1] === 'POSIX' && fields[5] === file)?.[4];
    return pid === undefined ? undefined : Number(pid);
  } catch {
    return undefined;
  }
}

function majorOf(device: bigint): bigint {
  return ((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn);
}

function minorOf(device: bigint): bigint {
  return (device & 0xffn) | ((device >> 12n) & ~0xffn);
}

function hex(number: bigint): string {
  return number.toString(16).padStart(2, '0');
}
