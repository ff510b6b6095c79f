import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RetriableError } from '../../../../src/core/errors.js';
import type { RestoreListener } from '../../../../src/runtime/restore/listener.js';
import { Restoration } from '../../../../src/runtime/restore/restoration.js';
import { CHANGELOG, contents, DAY, dyingAfter, type Entry, fold, numbered, restoring, SMALL, suspendedAfter, World } from './harness.js';

let world: World;

beforeEach(() => {
  world = new World();
  world.broker.createTopic('c', 3);
});

afterEach(() => world.close());

describe.each(['memory', 'leveldb'] as const)('restoring into %s', (engine) => {
  it('gives what the changelog says, and knows up to where', async () => {
    const entries = numbered(500);
    world.write('c', entries);
    const storage = await world.storage(engine);
    const around = await world.surroundings(SMALL);
    expect(await restoring(around, storage).restore([])).toBe('restored');
    expect(await contents(storage)).toEqual(fold(entries));
    expect(await storage.positions()).toEqual([{ topic: 'c', partition: 0, offset: 500, time: world.clock.now(), topicId: world.broker.topicId('c') }]);
  });

  it('equals a model whatever is written, wherever it dies or is suspended', async () => {
    const entry = fc.tuple(fc.constantFrom('a', 'b', 'ключ', '', 'é'), fc.option(fc.string({ maxLength: 5 }), { nil: null }));
    const part = fc.record({ entries: fc.array(entry, { maxLength: 30 }), end: fc.constantFrom('plain', 'committed', 'aborted') });
    const interruption = fc.oneof(fc.record({ dies: fc.nat(6) }), fc.record({ suspended: fc.nat(4) }));
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 6 }), fc.array(interruption, { maxLength: 4 }), async (parts, interruptions) => {
        const own = new World();
        own.broker.createTopic('c');
        const seen: Entry[] = [];
        for (const { entries, end } of parts) {
          if (end === 'plain') own.write('c', entries);
          else own.transact('c', entries).end(end as 'committed' | 'aborted');
          if (end !== 'aborted') seen.push(...entries);
        }
        const storage = await own.storage(engine);
        const around = await own.surroundings(SMALL);
        for (const how of interruptions) {
          if ('dies' in how)
            await restoring(around, dyingAfter(storage, how.dies))
              .restore([])
              .catch(() => {});
          else await suspendedAfter(how.suspended, around, storage);
        }
        expect(await restoring(around, storage).restore([])).toBe('restored');
        expect(await contents(storage)).toEqual(fold(seen));
        expect((await storage.positions())[0]?.offset).toBe(own.broker.log({ topic: 'c', partition: 0 }).high);
        await own.close();
      }),
      { numRuns: engine === 'memory' ? 100 : 25 },
    );
  });

  it('goes on where it was suspended, without reading anything twice', async () => {
    world.write('c', numbered(4500));
    const storage = await world.storage(engine);
    const around = await world.surroundings(SMALL);
    let restored = 0;
    const listener: RestoreListener = {
      onBatch: (_, _position, records) => {
        restored += records;
      },
      onSuspended: (_, records) => expect(records).toBe(restored),
    };
    expect(await suspendedAfter(0, around, storage, { listener })).toBe('suspended');
    const [position] = await storage.positions();
    expect(position?.offset).toBe(restored);
    expect(restored).toBeLessThan(4500);
    expect(await restoring(around, storage, { listener }).restore([])).toBe('restored');
    expect(restored).toBe(4500);
    expect(await contents(storage)).toEqual(fold(numbered(4500)));
  });

  it('restores two stores of a task, and empties only the one that cannot be trusted', async () => {
    world.broker.createTopic('d');
    const storage = await world.storage(engine, ['s', 'other', 'kept']);
    const topicId = world.broker.topicId('d');
    await storage.apply(
      [
        { store: 's', writes: [{ name: 'old', value: Buffer.from('1') }] },
        { store: 'other', writes: [{ name: 'old', value: Buffer.from('2') }] },
        { store: 'kept', writes: [{ name: 'old', value: Buffer.from('3') }] },
      ],
      [
        { topic: 'c', partition: 0, offset: 0, time: world.clock.now(), topicId: 'another' },
        { topic: 'd', partition: 0, offset: 1, time: world.clock.now(), topicId },
        { topic: 'input', partition: 0, offset: 77, time: 5 },
      ],
    );
    world.write('c', [['a', '1']]);
    world.write('d', [
      ['x', 'before the position'],
      ['b', '2'],
    ]);
    const changelogs = [CHANGELOG, { store: 'other', topic: 'd', partition: 0 }];
    const restoration = new Restoration({ ...(await world.surroundings(SMALL)), storages: [{ storage, changelogs, others: true }] });
    expect(await restoration.restore([])).toBe('restored');
    expect(await contents(storage, 's')).toEqual({ a: '1' });
    expect(await contents(storage, 'other')).toEqual({ b: '2', old: '2' });
    expect(await contents(storage, 'kept')).toEqual({ old: '3' });
    expect(await storage.positions()).toContainEqual({ topic: 'input', partition: 0, offset: 77, time: 5 });
  });
});

describe('where a restore ends (S4)', () => {
  it('is the end of the log as a read_uncommitted client sees it: an open transaction is waited for', async () => {
    world.write('c', [['a', '1']]);
    const open = world.transact('c', [['a', '2']]);
    const storage = await world.storage('memory');
    const done = restoring(await world.surroundings(), storage).restore([]);
    expect(await Promise.race([done, new Promise((resolve) => setTimeout(resolve, 50, 'waits'))])).toBe('waits');
    open.end('committed');
    expect(await done).toBe('restored');
    expect(await contents(storage)).toEqual({ a: '2' });
  });

  it('is reached past markers and aborted records, of which none is restored', async () => {
    world.transact('c', [['a', 'x']]).end('aborted');
    world.write('c', [['a', '1']]);
    world.transact('c', [['a', 'y']]).end('aborted');
    const storage = await world.storage('memory');
    expect(await restoring(await world.surroundings(), storage).restore([])).toBe('restored');
    expect(await contents(storage)).toEqual({ a: '1' });
    expect((await storage.positions())[0]?.offset).toBe(5);
  });

  it('is reached when all that is left is a marker', async () => {
    const topicId = world.broker.topicId('c');
    world.transact('c', [['a', '1']]).end('committed');
    const storage = await world.storage('memory');
    await storage.apply([{ store: 's', writes: [{ name: 'a', value: Buffer.from('1') }] }], [{ topic: 'c', partition: 0, offset: 1, time: 1, topicId }]);
    world.clock.advanceTo(DAY);
    const restoration = restoring(await world.surroundings(), storage);
    expect(await restoration.restore([])).toBe('restored');
    expect((await storage.positions())[0]?.offset).toBe(2);
  });

  it('is at once there when the changelog is empty, or holds nothing any more', async () => {
    const around = await world.surroundings();
    const storage = await world.storage('memory');
    expect(await restoring(around, storage).restore([])).toBe('restored');
    expect((await storage.positions())[0]?.offset).toBe(0);
    world.write('c', numbered(20), 1);
    world.broker.log({ topic: 'c', partition: 1 }).deleteBefore(20);
    const restoration = new Restoration({ ...around, storages: [{ storage, changelogs: [{ ...CHANGELOG, partition: 1 }] }] });
    expect(await restoration.restore([])).toBe('restored');
    expect(restoration.status()[0]).toMatchObject({ from: 20, position: 20, end: 20, records: 0, remaining: 0, secondsLeft: 0 });
  });

  it('moves on when restored again', async () => {
    world.write('c', [['a', '1']]);
    const storage = await world.storage('memory');
    const restoration = restoring(await world.surroundings(), storage);
    await restoration.restore([]);
    world.write('c', [['b', '2']]);
    expect(await restoration.restore([])).toBe('restored');
    expect(restoration.status()[0]).toMatchObject({ from: 1, position: 2, records: 1 });
    expect(await contents(storage)).toEqual({ a: '1', b: '2' });
  });
});

describe('several restores at once', () => {
  it('share one reader, let others work, and are held to one bound', async () => {
    for (const partition of [0, 1, 2]) world.write('c', numbered(3000 + partition), partition);
    const around = await world.surroundings(SMALL);
    const order: number[] = [];
    let turns = 0;
    const others = setInterval(() => turns++, 0);
    const storages = await Promise.all([0, 1, 2].map(() => world.storage('leveldb')));
    const ends = await Promise.all(
      storages.map((storage, partition) =>
        new Restoration({
          ...around,
          storages: [{ storage, changelogs: [{ ...CHANGELOG, partition }] }],
          listener: { onBatch: ({ changelog }) => order.push(changelog.partition) },
        }).restore([]),
      ),
    );
    clearInterval(others);
    expect(ends).toEqual(['restored', 'restored', 'restored']);
    for (const [partition, storage] of storages.entries()) expect(await contents(storage)).toEqual(fold(numbered(3000 + partition)));
    expect(order.indexOf(2)).toBeLessThan(order.lastIndexOf(0));
    expect(turns).toBeGreaterThan(1);
  });

  it('go on when one of them fails or is suspended', async () => {
    world.write('c', numbered(2000), 0);
    world.write('c', numbered(2000), 1);
    const around = await world.surroundings(SMALL);
    const [broken, sound] = [await world.storage('memory'), await world.storage('memory')];
    const failing = restoring(around, dyingAfter(broken, 1)).restore([]);
    const working = new Restoration({ ...around, storages: [{ storage: sound, changelogs: [{ ...CHANGELOG, partition: 1 }] }] }).restore([]);
    await expect(failing).rejects.toThrow('died');
    expect(await working).toBe('restored');
    expect(await contents(sound)).toEqual(fold(numbered(2000)));
  });
});

describe('a broker that is away', () => {
  it('is waited for, and nothing is lost', async () => {
    world.write('c', numbered(1500));
    const storage = await world.storage('memory');
    const around = await world.surroundings(SMALL);
    world.broker.setReachable(false);
    const done = restoring(around, storage).restore([]);
    await vi.waitUntil(() => world.lines.some(({ level }) => level === 'warn'), { timeout: 20_000 });
    world.broker.setReachable(true);
    expect(await done).toBe('restored');
    expect(await contents(storage)).toEqual(fold(numbered(1500)));
  });

  it('is asked no more once suspended', async () => {
    const around = await world.surroundings();
    let asked = 0;
    const admin = {
      logEnds: async () => {
        asked++;
        throw new RetriableError('broker/unavailable', 'away');
      },
    };
    const restoration = restoring({ ...around, admin }, await world.storage('memory'));
    const done = restoration.restore([]);
    await vi.waitUntil(() => asked > 0, { timeout: 20_000 });
    await restoration.suspend();
    expect(await done).toBe('suspended');
  });
});
