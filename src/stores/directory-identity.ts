import { mkdir, readFile, stat } from 'node:fs/promises';
import { hostname } from 'node:os';

/** Of the running kernel: all containers of a machine see the same. */
const BOOT_ID = '/proc/sys/kernel/random/boot_id';

/**
 * Tells directories apart among processes of any machine: equal for processes that use the same one, under whatever path and in
 * whatever container. One that several machines share over a network is told as a different one by each; its locks
 * say then what this cannot. The directory is made when there is none.
 */
export async function directoryIdentity(directory: string): Promise<string> {
  await mkdir(directory, { recursive: true });
  const machine = await readFile(BOOT_ID, 'utf8').then(
    (id) => id.trim(),
    () => hostname(),
  );
  const { dev, ino } = await stat(directory, { bigint: true });
  return `${machine}/${dev}/${ino}`;
}
