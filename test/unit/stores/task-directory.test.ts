import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StoreDefinition, TaskDirectory } from '../../../src/core/store.js';
import { levelEngine } from '../../../src/stores/leveldb.js';
import { prepareTaskDirectory, settleTaskDirectory } from '../../../src/stores/task-directory.js';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kstreamd-directory-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const counts: StoreDefinition = { name: 'counts', type: 'key-value', engine: 'leveldb', key: 'string', value: 'int64' };
const task = (change: Partial<TaskDirectory> = {}): TaskDirectory => ({ directory, application: 'app', stores: [counts], persistent: true, ...change });

describe('a task’s directory (S14)', () => {
  it('remembers what its stores are and takes them again', async () => {
    await prepareTaskDirectory(task());
    await prepareTaskDirectory(task());
    expect(JSON.parse(await readFile(join(directory, 'meta.json'), 'utf8'))).toEqual({
      format: 1,
      application: 'app',
      stores: { counts: { type: 'key-value', engine: 'leveldb', key: 'string', value: 'int64' } },
    });
  });

  it('stays untouched when nothing is kept on disk', async () => {
    await prepareTaskDirectory(task({ persistent: false }));
    expect(await readdir(directory)).toEqual([]);
  });

  it.each([
    [{ application: 'other' }, 'state/other-application'],
    [{ stores: [{ ...counts, value: 'json' }] }, 'state/definition-changed'],
    [{ stores: [{ ...counts, key: 'bytes' }] }, 'state/definition-changed'],
    [{ stores: [{ ...counts, engine: 'memory' }], persistent: false }, 'state/definition-changed'],
  ])('refuses %j', async (change, code) => {
    await prepareTaskDirectory(task());
    await expect(prepareTaskDirectory(task(change))).rejects.toMatchObject({ name: 'ConfigError', code, fix: expect.any(String) });
  });

  it('names stores that their changelogs make what they are now, and says what they were until that is settled (S15)', async () => {
    const changelog = { topic: 'app-counts-changelog', config: {} };
    const was = task({ stores: [{ ...counts, changelog }] });
    const now = task({ stores: [{ ...counts, changelog, type: 'versioned', historyMs: 1000 }] });
    expect(await prepareTaskDirectory(was)).toEqual([]);
    expect(await prepareTaskDirectory(now)).toEqual(['counts']);
    // A crash in between: it is asked for again.
    expect(await prepareTaskDirectory(now)).toEqual(['counts']);
    expect(await prepareTaskDirectory(was)).toEqual([]);
    await settleTaskDirectory(now);
    expect(await prepareTaskDirectory(now)).toEqual([]);
    await expect(prepareTaskDirectory(was)).rejects.toMatchObject({ code: 'state/definition-changed' });
    await expect(prepareTaskDirectory(task({ stores: [{ ...counts, type: 'versioned', historyMs: 2000 }] }))).rejects.toMatchObject({
      code: 'state/definition-changed',
    });
  });

  it('refuses a store that was left out for a while: it misses records', async () => {
    await prepareTaskDirectory(task());
    await prepareTaskDirectory(task({ stores: [{ ...counts, name: 'sums' }] }));
    await expect(prepareTaskDirectory(task())).rejects.toMatchObject({ code: 'state/definition-changed' });
  });

  it('refuses a newer format and a damaged file', async () => {
    await writeFile(join(directory, 'meta.json'), JSON.stringify({ format: 2, application: 'app', stores: {} }));
    await expect(prepareTaskDirectory(task())).rejects.toMatchObject({ code: 'state/newer-format' });
    await writeFile(join(directory, 'meta.json'), '{');
    await expect(prepareTaskDirectory(task())).rejects.toMatchObject({ name: 'StoreCorruptedError', code: 'store/corrupt', directory });
  });
});

describe('opening LevelDB', () => {
  it('names the directory that another process holds', async () => {
    const engine = levelEngine({ lockWaitMs: 0 });
    const held = await engine.openTask({ stores: ['counts'], directory });
    await expect(engine.openTask({ stores: ['counts'], directory })).rejects.toMatchObject({
      code: 'store/locked',
      message: expect.stringContaining(join(directory, 'db')),
    });
    await held.close();
  });

  it('waits for a holder that is just going', async () => {
    const engine = levelEngine();
    const held = await engine.openTask({ stores: ['counts'], directory });
    const waiting = engine.openTask({ stores: ['counts'], directory });
    await held.close();
    await (await waiting).close();
  });

  it('says so when it cannot be opened', async () => {
    await writeFile(join(directory, 'db'), 'not a directory');
    await expect(levelEngine().openTask({ stores: ['counts'], directory })).rejects.toMatchObject({ name: 'StoreError', code: 'store/open' });
  });
});
