import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RestoreListener } from '../../../../src/runtime/restore/listener.js';
import { Restoration } from '../../../../src/runtime/restore/restoration.js';
import { CHANGELOG, contents, DAY, dyingAfter, type Entry, fold, numbered, restoring, SMALL, suspendedAfter, World } from './harness.js';

let world: World;

beforeEach(() => {
  world = new World();
  world.broker.createTopic('c', 3);
});

afterEach(() => world.close());

describe('a local copy that cannot be trusted (S4)', () => {
  /** The storage as an earlier run left it: one entry that the changelog does not have. */
  const left = async (position: { offset: number; time?: number; topicId?: string }, engine: 'memory' | 'leveldb' = 'memory') => {
    const storage = await world.storage(engine);
    const from = { topic: 'c', partition: 0, topicId: world.broker.topicId('c'), time: world.clock.now(), ...position };
    await storage.apply([{ store: 's', writes: [{ name: 'gone', value: Buffer.from('1') }] }], [from]);
    return storage;
  };
  const told = () => world.lines.filter(({ level }) => level === 'warn').map(({ fields }) => fields.reason);

  it.each([
    ['other-topic', { offset: 5, topicId: 'another' }],
    ['below-start', { offset: 2 }],
    ['beyond-end', { offset: 21 }],
    ['too-old', { offset: 5, time: 0 }],
  ])('is built anew, with a warning that says why: %s', async (reason, position) => {
    world.write('c', numbered(20));
    world.broker.log(CHANGELOG).deleteBefore(3);
    const storage = await left(position, 'leveldb');
    await restoring(await world.surroundings(), storage).restore([]);
    expect(await contents(storage)).toEqual(fold(numbered(20).slice(3)));
    expect(told()).toEqual([reason]);
    expect(world.metrics.get('restore_rebuilds_total', { store: 's', reason })).toBe(1);
  });

  it('goes by the delete.retention.ms of its changelog', async () => {
    world.write('c', numbered(20));
    const storage = await left({ offset: 5, time: world.clock.now() - 20 });
    const around = await world.surroundings();
    await new Restoration({ ...around, storages: [{ storage, changelogs: [{ ...CHANGELOG, deleteRetentionMs: 40 }] }] }).restore([]);
    expect(told()).toEqual([]);
    const older = await left({ offset: 5, time: world.clock.now() - 21 });
    await new Restoration({ ...around, storages: [{ storage: older, changelogs: [{ ...CHANGELOG, deleteRetentionMs: 40 }] }] }).restore([]);
    expect(told()).toEqual(['too-old']);
  });

  it('is built anew when it does not say up to where it goes', async () => {
    world.write('c', [['a', '1']]);
    const storage = await world.storage('memory');
    await storage.apply([{ store: 's', writes: [{ name: 'gone', value: Buffer.from('1') }] }], []);
    await restoring(await world.surroundings(), storage).restore([]);
    expect(await contents(storage)).toEqual({ a: '1' });
    expect(told()).toEqual(['no-position']);
  });

  it('is built anew also when it died while it was being emptied', async () => {
    world.write('c', [['a', '1']]);
    const storage = await left({ offset: 9 });
    const around = await world.surroundings();
    // The position was taken back; the emptying that follows fails.
    await expect(restoring(around, dyingAfter(storage, 1), { others: true }).restore([])).rejects.toThrow('died');
    expect(await contents(storage)).toEqual({ gone: '1' });
    await restoring(around, storage, { others: true }).restore([]);
    expect(await contents(storage)).toEqual({ a: '1' });
  });

  it('keeps the date of its position until it is at the end, and may grow too old half-way', async () => {
    world.write('c', numbered(4500));
    const time = world.clock.now() - 3 * DAY;
    const storage = await left({ offset: 1, time });
    const around = await world.surroundings(SMALL);
    await suspendedAfter(0, around, storage);
    expect(await storage.positions()).toMatchObject([{ time }]);
    world.clock.advance(DAY);
    await restoring(around, storage).restore([]);
    expect(told()).toEqual(['too-old']);
    expect(await storage.positions()).toMatchObject([{ offset: 4500, time: world.clock.now() }]);
  });
});

describe('a changelog that changes under a restore', () => {
  it('that lost what was to come is begun anew', async () => {
    world.write('c', numbered(4500));
    const storage = await world.storage('leveldb');
    let deleted = false;
    const listener: RestoreListener = {
      onBatch: () => {
        if (!deleted) world.broker.log(CHANGELOG).deleteBefore(4495);
        deleted = true;
      },
    };
    expect(await restoring(await world.surroundings(SMALL), storage, { listener }).restore([])).toBe('restored');
    expect(await contents(storage)).toEqual(fold(numbered(4500).slice(4495)));
    expect(world.metrics.get('restore_rebuilds_total', { store: 's', reason: 'out-of-range' })).toBe(1);
  });

  it('that loses records again and again is given up', async () => {
    world.write('c', numbered(2000));
    const log = world.broker.log(CHANGELOG);
    const listener: RestoreListener = {
      onStart: () => {
        world.write('c', numbered(2000));
        log.deleteBefore(log.low + 1500);
      },
    };
    const restoration = restoring(await world.surroundings(SMALL), await world.storage('memory'), { listener });
    await expect(restoration.restore([])).rejects.toMatchObject({ code: 'state/changelog-unstable' });
  });

  it('that was deleted and made again is noticed at the end', async () => {
    world.write('c', numbered(2000));
    const again: Entry[] = Array.from({ length: 3000 }, (_, i) => [`n${i % 5}`, `${i}`]);
    const storage = await world.storage('memory');
    let replaced = false;
    const listener: RestoreListener = {
      onBatch: () => {
        if (replaced) return;
        replaced = true;
        world.broker.deleteTopic('c');
        world.broker.createTopic('c');
        world.write('c', again);
      },
    };
    expect(await restoring(await world.surroundings(SMALL), storage, { listener }).restore([])).toBe('restored');
    expect(await contents(storage)).toEqual(fold(again));
    expect(await storage.positions()).toMatchObject([{ offset: 3000, topicId: world.broker.topicId('c') }]);
  });

  it('that does not exist is an error', async () => {
    const around = await world.surroundings();
    const storage = await world.storage('memory');
    const missing = new Restoration({ ...around, storages: [{ storage, changelogs: [{ ...CHANGELOG, topic: 'nowhere' }] }] });
    await expect(missing.restore([])).rejects.toMatchObject({ code: 'broker/unknown-topic' });
  });
});
