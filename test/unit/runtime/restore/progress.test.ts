import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RestoreListener } from '../../../../src/runtime/restore/listener.js';
import { Restoration } from '../../../../src/runtime/restore/restoration.js';
import { CHANGELOG, numbered, restoring, SMALL, World } from './harness.js';

let world: World;

beforeEach(() => {
  world = new World();
  world.broker.createTopic('c', 3);
});

afterEach(() => world.close());

describe('progress', () => {
  it('is exact, and told to listeners in order', async () => {
    world.write('c', [
      ['a', '1'],
      [null, 'no key'],
      ['b', '22'],
      ['a', null],
    ]);
    const told: unknown[] = [];
    const listener: RestoreListener = {
      onStart: (restored, from, end) => told.push(['start', restored, from, end]),
      onBatch: (restored, position, records) => told.push(['batch', restored, position, records]),
      onEnd: (restored, records) => told.push(['end', restored, records]),
    };
    const storage = await world.storage('memory');
    const restoration = restoring(await world.surroundings(), storage, { listener });
    await restoration.restore([]);
    const restored = { store: 's', changelog: { topic: 'c', partition: 0 } };
    expect(told).toEqual([
      ['start', restored, 0, 4],
      ['batch', restored, 4, 4],
      ['end', restored, 4],
    ]);
    expect(restoration.status()).toEqual([
      { store: 's', topic: 'c', partition: 0, from: 0, position: 4, end: 4, remaining: 0, records: 4, bytes: 12, recordsPerSecond: 0, secondsLeft: 0 },
    ]);
    expect(world.metrics.get('restore_records_total', { store: 's' })).toBe(4);
    expect(world.metrics.get('restore_skipped_records_total', { store: 's' })).toBe(1);
    expect(world.metrics.get('restore_duration_seconds')).toBe(1);
    expect(world.metrics.get('restore_remaining_records', { store: 's', partition: '0' })).toBeUndefined();
    expect(world.lines.filter(({ level }) => level === 'info').map(({ message }) => message)).toEqual([
      'restoring stores from their changelogs',
      'stores restored',
    ]);
  });

  it('has a rate, and the time that is left at it', async () => {
    world.write('c', numbered(2000));
    const around = await world.surroundings(SMALL);
    const snapshots: unknown[] = [];
    const listener: RestoreListener = {
      onBatch: (_, position) => {
        world.clock.advance(1000);
        const [progress] = restoration.status();
        if (position < 2000 && snapshots.length === 0) snapshots.push(progress);
      },
    };
    const restoration = restoring(around, await world.storage('memory'), { listener });
    await restoration.restore([]);
    expect(snapshots).toMatchObject([{ position: 1000, records: 1000, remaining: 1000, recordsPerSecond: 1000, secondsLeft: 1 }]);
  });

  it('tells on and on while an open transaction holds it up', async () => {
    world.write('c', [['a', '1']]);
    const open = world.transact('c', [['a', '2']]);
    const around = await world.surroundings();
    const restoration = new Restoration({ ...around, storages: [{ storage: await world.storage('memory'), changelogs: [CHANGELOG] }], logEveryMs: 5 });
    const done = restoration.restore([]);
    await vi.waitUntil(() => world.lines.some(({ level, message }) => level === 'warn' && message.includes('transaction')), { timeout: 20_000 });
    open.end('aborted');
    await done;
  });
});
