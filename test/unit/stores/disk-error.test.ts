import { existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import type { StoreWrites, TaskStorage } from '../../../src/core/store.js';
import { levelEngine } from '../../../src/stores/leveldb.js';
import { openDatabase } from '../../../src/stores/open-database.js';
import { openStateDirectory } from '../../../src/stores/state-directory.js';
import { prepareTaskDirectory } from '../../../src/stores/task-directory.js';
import { verifyDatabase } from '../../../src/stores/verify/verify-database.js';
import { noise, temporary } from './verify/databases.js';

let directory: string;
beforeEach(() => {
  directory = temporary();
});

const FULL = '/dev/full';
const full = {
  name: 'StoreError',
  code: 'store/disk-full',
  message: expect.stringMatching(/no space left on device/i),
  fix: expect.stringContaining('make room'),
};
/** The kernel's own tree: not even root can make a directory there. */
const REFUSING = '/sys/kstreamd-state';
const refused = { name: 'ConfigError', code: 'store/not-writable', fix: expect.stringContaining(REFUSING) };
const stores = [{ name: 'counts', type: 'key-value', engine: 'leveldb', key: 'string', value: 'int64' }] as const;

describe('a directory that may not be written to', () => {
  it('is a wrong setting, wherever it shows first', async () => {
    await expect(openStateDirectory({ stateDir: REFUSING, application: 'app' })).rejects.toMatchObject(refused);
    await expect(openStateDirectory({ stateDir: REFUSING, application: 'app', instanceId: 'a' })).rejects.toMatchObject(refused);
    await expect(prepareTaskDirectory({ directory: REFUSING, application: 'app', stores, persistent: true })).rejects.toMatchObject(refused);
    await expect(openDatabase(join(REFUSING, 'db'), {})).rejects.toMatchObject(refused);
  });
});

describe.skipIf(!existsSync(FULL))('a full disk', () => {
  it('is named when the instance’s file or meta.json cannot be written', async () => {
    mkdirSync(join(directory, 'app', '@instances', '1'), { recursive: true });
    symlinkSync(FULL, join(directory, 'app', '@instances', '1', 'instance.json.new'));
    await expect(openStateDirectory({ stateDir: directory, application: 'app' })).rejects.toMatchObject(full);
    mkdirSync(join(directory, '0'));
    symlinkSync(FULL, join(directory, '0', 'meta.json.new'));
    await expect(prepareTaskDirectory({ directory: join(directory, '0'), application: 'app', stores, persistent: true })).rejects.toMatchObject(full);
  });

  it('ends the writing of a store: what LevelDB wrote by halves would hide what is written behind it (C4)', async () => {
    const engine = levelEngine({ writeBufferBytes: 64 * 1024 });
    const db = join(directory, 'db');
    let storage: TaskStorage = await engine.openTask({ stores: ['counts'], directory });
    const write = (n: number): Promise<void> => Promise.resolve(storage.apply([batch(n)], [{ topic: 'in', partition: 0, offset: n + 1 }]));
    await write(0);
    // The logs that LevelDB will begin are on a full disk.
    const logs = Array.from({ length: 40 }, (_, i) => join(db, `${String(i).padStart(6, '0')}.log`)).filter((log) => !existsSync(log));
    for (const log of logs) symlinkSync(FULL, log);
    let written = 1;
    const failure = await (async () => {
      for (; written < 1000; written++) await write(written);
    })().catch((error: unknown) => error);
    expect(failure).toMatchObject(full);
    for (const log of logs) rmSync(log, { force: true });
    // There is room again, but not for this storage.
    await expect(write(written)).rejects.toBe(failure);
    await expect(Promise.resolve(storage.clear())).rejects.toBe(failure);
    await storage.close();
    expect(written).toBeGreaterThan(1);
    storage = await engine.openTask({ stores: ['counts'], directory });
    const [position] = await storage.positions();
    for (let n = 0; n < written; n++) {
      const found = storage.store('counts').get(Buffer.from(`key-${n}`));
      expect(found?.equals(noise(n, 5000)) ?? false, `write ${n}`).toBe(n < position!.offset);
    }
    await write(written);
    await storage.close();
    expect(await verifyDatabase(db)).toEqual([]);
  });
});

function batch(n: number): StoreWrites {
  return { store: 'counts', writes: [{ name: `key-${n}`, value: noise(n, 5000) }] };
}
