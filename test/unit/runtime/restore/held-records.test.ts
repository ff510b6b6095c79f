import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { TaskStorage } from '../../../../src/core/store.js';
import type { RestoreListener } from '../../../../src/runtime/restore/listener.js';
import { openTaskStorage } from '../../../../src/runtime/task-storage.js';
import { contents, type Entry, fold, numbered, restoring, suspendedAfter, World } from './harness.js';

const RECORDS = 4500;
const ENTRIES: readonly Entry[] = numbered(RECORDS);
let world: World;

beforeEach(() => {
  world = new World();
  world.broker.createTopic('c');
  world.write('c', ENTRIES);
  // Each look at the clock is later than any interval of writes.
  let now = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => {
    now += 60_000;
    return now;
  });
});

afterEach(async () => {
  vi.restoreAllMocks();
  await world.close();
});

/** How many writes of rows it gets. */
function writesTo(storage: TaskStorage): () => number {
  const apply = vi.spyOn(storage, 'apply');
  return () => apply.mock.calls.filter(([changes]) => changes.length > 0).length;
}

/** An engine that a plugin could give. */
function backend(persistent: boolean): Promise<TaskStorage> {
  const rows = new Map<string, [Buffer, Buffer]>();
  const open = () => ({
    get: (key: Buffer) => rows.get(key.toString('latin1'))?.[1] ?? null,
    put: (key: Buffer, value: Buffer) => void rows.set(key.toString('latin1'), [key, value]),
    delete: (key: Buffer) => void rows.delete(key.toString('latin1')),
    scan: ({ limit }: { limit?: number }) => {
      let found = [...rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
      if (limit !== undefined) found = found.slice(0, limit);
      return { next: () => found.splice(0), close: () => {} };
    },
    close: () => {},
  });
  return openTaskStorage({ persistent, open }, ['s'], '');
}

const engines: Record<string, { open: () => Promise<TaskStorage>; persistent: boolean }> = {
  memory: { open: () => world.storage('memory'), persistent: false },
  leveldb: { open: () => world.storage('leveldb'), persistent: true },
  'an engine of a plugin': { open: () => backend(false), persistent: false },
  'a persistent engine of a plugin': { open: () => backend(true), persistent: true },
};

describe.each(Object.entries(engines))('restoring into %s', (_, { open, persistent }) => {
  it(persistent ? 'writes again and again, so that a crash costs little' : 'writes each key once, since a crash leaves nothing', async () => {
    const storage = await open();
    const writes = writesTo(storage);
    const told: [position: number, records: number][] = [];
    const positions: number[] = [];
    const listener: RestoreListener = {
      onBatch: (_restored, position, records) => {
        told.push([position, records]);
        positions.push(restoration.status()[0]?.position ?? -1);
      },
      onEnd: (_restored, records) => expect(records).toBe(RECORDS),
    };
    const restoration = restoring(await world.surroundings(), storage, { listener, persistent });
    expect(await restoration.restore([])).toBe('restored');
    if (persistent) expect(writes()).toBeGreaterThan(1);
    else expect(writes()).toBe(1);
    // Progress is told either way.
    expect(told.length).toBeGreaterThan(1);
    expect(told.reduce((sum, [, records]) => sum + records, 0)).toBe(RECORDS);
    expect(positions).toEqual(told.map(([position]) => position));
    expect(world.metrics.get('restore_records_total', { store: 's' })).toBe(RECORDS);
    expect(restoration.status()[0]?.bytes).toBe(ENTRIES.reduce((sum, [key, value]) => sum + (key?.length ?? 0) + (value?.length ?? 0), 0));
    expect(await contents(storage)).toEqual(fold(ENTRIES));
  });

  it('has written what it told of when it is suspended, and goes on from there', async () => {
    const storage = await open();
    const around = await world.surroundings();
    let restored = 0;
    const listener: RestoreListener = {
      onBatch: (_restored, _position, records) => {
        restored += records;
      },
    };
    expect(await suspendedAfter(0, around, storage, { listener, persistent })).toBe('suspended');
    expect(restored).toBeGreaterThan(0);
    expect(restored).toBeLessThan(RECORDS);
    expect(await contents(storage)).toEqual(fold(ENTRIES.slice(0, restored)));
    const second = restoring(around, storage, { listener, persistent });
    // A backend without positions is filled anew.
    const kept = (await storage.positions()).length > 0;
    restored = kept ? restored : 0;
    expect(await second.restore([])).toBe('restored');
    expect(restored).toBe(RECORDS);
    expect(await contents(storage)).toEqual(fold(ENTRIES));
  });
});

it('writes before the end into memory too when what it holds reaches its bound', async () => {
  const storage = await world.storage('memory');
  const writes = writesTo(storage);
  expect(await restoring(await world.surroundings(400), storage, { persistent: false }).restore([])).toBe('restored');
  expect(writes()).toBeGreaterThan(1);
  expect(await contents(storage)).toEqual(fold(ENTRIES));
});
