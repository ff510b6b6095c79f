import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StoredPosition, StoreEngine, StoreWrites, TaskStorage } from '../../src/core/store.js';
import { openTaskStorage } from '../../src/runtime/task-storage.js';

const input: StoredPosition = { topic: 'in', partition: 3, offset: 7, time: 1_700_000_000_123 };
const changelog: StoredPosition = { topic: 'app-one-changelog', partition: 3, offset: 2 ** 40, time: 1_700_000_000_456, topicId: 'QW9nZ2EtMDAwMDAwMDAwMA' };

/** What any engine must keep below the write buffer: stored positions, atomic writes, and a `clear` to restore anew after (S4). */
export function storageConformance(name: string, makeEngine: () => StoreEngine): void {
  describe(`storage of engine ${name}`, () => {
    let directory: string;
    let engine: StoreEngine;
    let storage: TaskStorage;
    const open = (): Promise<TaskStorage> => openTaskStorage(engine, ['one', 'two'], directory);

    beforeEach(async () => {
      directory = await mkdtemp(join(tmpdir(), 'kstreamd-storage-'));
      engine = makeEngine();
      storage = await open();
    });
    afterEach(async () => {
      await storage.close();
      await rm(directory, { recursive: true, force: true });
    });

    it('keeps positions with their time and topic id, the last of each partition (C4, S4)', async () => {
      await storage.apply([], [{ ...input, offset: 1, time: 5 }, changelog]);
      await storage.apply([], [input]);
      if (!keepsPositions(await storage.positions(), engine)) return;
      expect(sorted(await storage.positions())).toEqual([changelog, input]);
      // A position without them forgets the old ones.
      await storage.apply([], [{ topic: 'in', partition: 3, offset: 8 }]);
      expect(sorted(await storage.positions())).toEqual([changelog, { topic: 'in', partition: 3, offset: 8 }]);
    });

    it('writes keys of any bytes and length, and deletes them', async () => {
      const names = [
        '',
        '\0',
        '\xff',
        'a'.repeat(5000),
        'a'.repeat(5000).replace(/a$/, 'b'),
        ...Array.from({ length: 256 }, (_, i) => String.fromCharCode(i, 255 - i)),
      ];
      await storage.apply([writes('one', names)], []);
      const found = await scanned(storage, 'one');
      expect(found).toEqual([...names].sort().map((key) => [key, `value of ${key.length}`]));
      expect(await scanned(storage, 'two')).toEqual([]);
      const [gone = [], kept = []] = [names.slice(0, 100), names.slice(100)];
      await storage.apply([{ store: 'one', writes: gone.map((key) => ({ name: key, value: null })) }], []);
      expect((await scanned(storage, 'one')).map(([key]) => key)).toEqual([...kept].sort());
    });

    it('is empty after clear, without positions, and can be filled anew (S4)', async () => {
      const names = Array.from({ length: 1000 }, (_, i) => `key ${i}`);
      await storage.apply([writes('one', names), writes('two', ['only'])], [input, changelog]);
      await storage.clear();
      const isEmpty = async (): Promise<void> => {
        expect(await scanned(storage, 'one')).toEqual([]);
        expect(await scanned(storage, 'two')).toEqual([]);
        expect(storage.store('one').get(Buffer.from('key 7'))).toBeNull();
        expect(await storage.positions()).toEqual([]);
      };
      await isEmpty();
      if (engine.persistent) {
        await storage.close();
        storage = await open();
        await isEmpty();
      }
      await storage.apply([writes('one', ['new'])], [input]);
      expect(await scanned(storage, 'one')).toEqual([['new', 'value of 3']]);
      if (keepsPositions(await storage.positions(), engine)) expect(await storage.positions()).toEqual([input]);
    });
  });
}

/** An engine may keep no positions, but not if it outlives the process. */
function keepsPositions(found: readonly StoredPosition[], engine: StoreEngine): boolean {
  if (found.length === 0) expect(engine.persistent).toBe(false);
  return found.length > 0;
}

function writes(store: string, names: readonly string[]): StoreWrites {
  return { store, writes: names.map((name) => ({ name, value: Buffer.from(`value of ${name.length}`) })) };
}

async function scanned(storage: TaskStorage, store: string): Promise<[string, string][]> {
  const found: [string, string][] = [];
  const scan = storage.store(store).scan({});
  for (let entries = await scan.next(); entries.length > 0; entries = await scan.next()) {
    for (const [key, value] of entries) found.push([key.toString('latin1'), value.toString()]);
  }
  await scan.close();
  return found;
}

function sorted(positions: readonly StoredPosition[]): StoredPosition[] {
  return [...positions].sort((a, b) => a.topic.localeCompare(b.topic));
}
