import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ByteIterator, RestoredRecord, SingleStoreEngine, StoreBackend, StoredPosition, StoreWrite, TaskStorage } from '../../../../src/core/store.js';
import { openTaskStorage } from '../../../../src/runtime/task-storage.js';
import { CHANGELOG, type Entry, restoring, SMALL, World } from './harness.js';

const NONE: ByteIterator = { next: () => [], close: () => {} };

let world: World;
let calls: string[];

beforeEach(() => {
  world = new World();
  world.broker.createTopic('c');
  calls = [];
});

afterEach(() => world.close());

/** A backend that only notes what is asked of it. */
function noting(hooks: Partial<StoreBackend>): StoreBackend {
  let positions: readonly StoredPosition[] = [];
  return {
    get: () => null,
    scan: () => NONE,
    apply: (writes: readonly StoreWrite[], now: readonly StoredPosition[]) => {
      calls.push(`apply ${writes.map(({ key, value }) => `${key}=${value}`)} @${now.map(({ offset }) => offset)}`);
      if (now.length > 0) positions = now;
    },
    positions: () => positions,
    clear: () => {
      calls.push('clear');
      positions = [];
    },
    close: () => {},
    ...hooks,
  };
}

const engineOf = (backend: StoreBackend): SingleStoreEngine => ({ persistent: true, open: () => backend });
const storageOf = (backend: StoreBackend, stores = ['s']): Promise<TaskStorage> => openTaskStorage(engineOf(backend), stores, '');
const shown = ({ key, value, timestamp }: RestoredRecord): string => `${key}=${value}@${timestamp}`;

const HISTORY: Entry[] = [
  ['a', '1'],
  ['b', '1'],
  ['a', '2'],
  ['b', null],
  ['a', '3'],
];

describe('a backend with hooks is restored through them (S2)', () => {
  test('restoreBatch gets every record of the changelog in order, and the position follows', async () => {
    for (const [i, [key, value]] of HISTORY.entries()) {
      world.broker.append('c', { partition: 0, key: Buffer.from(String(key)), value: value === null ? null : Buffer.from(value), timestamp: 100 + i });
    }
    const storage = await storageOf(noting({ restoreBatch: (records) => void calls.push(`batch ${records.map(shown)}`) }));
    await restoring(await world.surroundings(), storage).restore([]);
    expect(calls).toEqual(['batch a=1@100,b=1@101,a=2@102,b=null@103,a=3@104', 'apply  @5']);
  });

  test('restore gets them one by one; with a promise the next waits', async () => {
    world.write('c', HISTORY);
    let busy = false;
    const restore = async (key: Buffer, value: Buffer | null): Promise<void> => {
      expect(busy).toBe(false);
      busy = true;
      await new Promise((resolve) => setImmediate(resolve));
      busy = false;
      calls.push(`${key}=${value}`);
    };
    await restoring(await world.surroundings(), await storageOf(noting({ restore }))).restore([]);
    expect(calls).toEqual(['a=1', 'b=1', 'a=2', 'b=null', 'a=3', 'apply  @5']);
  });

  test('restoreBatch is called and not restore where there are both', async () => {
    world.write('c', HISTORY.slice(0, 1));
    const hooks = { restoreBatch: () => void calls.push('batch'), restore: () => void calls.push('one') };
    await restoring(await world.surroundings(), await storageOf(noting(hooks))).restore([]);
    expect(calls).toEqual(['batch', 'apply  @1']);
  });

  test('without hooks it gets the last value of each key as a write', async () => {
    world.write('c', HISTORY);
    await restoring(await world.surroundings(), await storageOf(noting({}))).restore([]);
    expect(calls).toEqual(['apply a=3,b=null @5']);
  });

  test('many records come some at a time, and a restart goes on behind the last position', async () => {
    const many: Entry[] = Array.from({ length: 3000 }, (_, i) => [`k${i}`, `${i}`]);
    world.write('c', many);
    const got: string[] = [];
    const backend = noting({
      restoreBatch: (records) => {
        calls.push('batch');
        got.push(...records.map(({ key }) => String(key)));
      },
    });
    await restoring(await world.surroundings(SMALL), await storageOf(backend)).restore([]);
    expect(got).toEqual(many.map(([key]) => key));
    expect(calls.filter((call) => call === 'batch').length).toBeGreaterThan(1);
    world.write('c', [['more', '1']]);
    await restoring(await world.surroundings(SMALL), await storageOf(backend)).restore([]);
    expect(got.slice(3000)).toEqual(['more']);
  });

  test('a hook that fails fails the restore, and no position claims what it did not take', async () => {
    world.write('c', HISTORY);
    const storage = await storageOf(
      noting({
        restoreBatch: () => {
          throw new Error('no room');
        },
      }),
    );
    await expect(restoring(await world.surroundings(), storage).restore([])).rejects.toThrow('no room');
    expect(await storage.positions()).toEqual([]);
  });

  test('a store that cannot be trusted is cleared before', async () => {
    world.write('c', HISTORY);
    const backend = noting({ restoreBatch: (records) => void calls.push(`batch ${records.length}`) });
    await backend.apply?.([], [{ ...CHANGELOG, offset: 99, time: 0 }]);
    calls.length = 0;
    await restoring(await world.surroundings(), await storageOf(backend)).restore([]);
    expect(calls).toEqual(['apply  @-1', 'clear', 'batch 5', 'apply  @5']);
  });
});

describe('stores of an engine that keeps each for itself may stand apart after a crash (B7)', () => {
  test('a store is restored from its own position, not from one that only its neighbour has written', async () => {
    for (const [key, value] of HISTORY) {
      world.broker.append('c', { partition: 0, key: Buffer.from(String(key)), value: value === null ? null : Buffer.from(value), timestamp: 100 });
    }
    const neighbour = noting({ positions: () => [{ topic: 'c', partition: 0, offset: HISTORY.length, time: world.clock.now() }] });
    const own = noting({});
    const storage = await openTaskStorage({ persistent: true, open: ({ store }) => (store === 's' ? own : neighbour) }, ['neighbour', 's'], '');
    await restoring(await world.surroundings(), storage).restore([]);
    expect(calls).toContain('apply a=3,b=null @5');
  });
});
