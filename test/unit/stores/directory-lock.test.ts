import { mkdirSync, readdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { lockDirectory } from '../../../src/stores/directory-lock.js';
import { heldByAnother, triedByAnother } from './other-process.js';
import { temporary } from './verify/databases.js';

let directory: string;
beforeEach(() => {
  directory = join(temporary(), 'place');
});
const locked = { code: 'store/locked' };

describe('locking a directory', () => {
  it('keeps other processes out, until it is released', async () => {
    const lock = await lockDirectory(directory);
    expect(await triedByAnother(join(directory, 'lock'))).toBe('LEVEL_LOCKED');
    await lock.release();
    expect(await triedByAnother(join(directory, 'lock'))).toBe('free');
  });

  it('is given up by the kernel when its process is killed', async () => {
    const other = await heldByAnother(join(directory, 'lock'));
    await expect(lockDirectory(directory, 0)).rejects.toMatchObject(locked);
    const waiting = lockDirectory(directory, 20_000);
    await other.kill();
    await (await waiting).release();
  });

  it('survives that this process tries again, by any path: POSIX would give up the lock', async () => {
    const lock = await lockDirectory(directory);
    symlinkSync(directory, `${directory}-link`);
    for (const path of [directory, `${directory}-link`]) await expect(lockDirectory(path, 0)).rejects.toMatchObject(locked);
    expect(await triedByAnother(join(directory, 'lock'))).toBe('LEVEL_LOCKED');
    await lock.release();
    await (await lockDirectory(`${directory}-link`, 0)).release();
  });

  it('moves with its directory', async () => {
    const lock = await lockDirectory(directory);
    renameSync(directory, `${directory}-moved`);
    expect(await triedByAnother(join(`${directory}-moved`, 'lock'))).toBe('LEVEL_LOCKED');
    await lock.release();
    await (await lockDirectory(directory, 0)).release();
    await (await lockDirectory(`${directory}-moved`, 0)).release();
  });

  it('does not mind damage to its own files', async () => {
    await (await lockDirectory(directory)).release();
    for (const name of readdirSync(join(directory, 'lock'))) writeFileSync(join(directory, 'lock', name), 'rubbish');
    const lock = await lockDirectory(directory);
    expect(await triedByAnother(join(directory, 'lock'))).toBe('LEVEL_LOCKED');
    await lock.release();
  });

  it('says so when the directory cannot be made', async () => {
    mkdirSync(join(directory, '..', 'x'));
    writeFileSync(join(directory, '..', 'x', 'file'), '');
    await expect(lockDirectory(join(directory, '..', 'x', 'file'), 0)).rejects.toMatchObject({ name: 'StoreError', code: 'store/open' });
  });
});
