import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { TaskStorage } from '../../../../src/core/store.js';
import { Follower } from '../../../../src/runtime/restore/follower.js';
import { Restoration } from '../../../../src/runtime/restore/restoration.js';
import { contents, DAY, dyingAfter, World } from './harness.js';

const CHANGELOG = { store: 's', topic: 'c', partition: 0 };

let world: World;

beforeEach(() => {
  world = new World();
  world.broker.createTopic('c');
});

afterEach(() => world.close());

const following = async (storage: TaskStorage, maxBytes = 400) => {
  const around = await world.surroundings(maxBytes);
  const follower = new Follower({ ...around, storages: [{ storage, changelogs: [CHANGELOG] }], askEveryMs: 5 });
  return { around, follower, following: follower.follow() };
};
const long = (count: number) => Array.from({ length: count }, (_, i) => [`k${i}`, `a value that fills a chunk ${i}`] as const);

describe.each(['memory', 'leveldb'] as const)('a standby in %s (S10)', (engine) => {
  it('copies what others write, and whoever takes it over restores the tail only', async () => {
    world.write('c', long(20));
    const storage = await world.storage(engine);
    const { around, follower, following: followed } = await following(storage);
    await vi.waitUntil(() => follower.status()[0]?.position === 20, { timeout: 20_000 });
    world.write('c', [['later', '1'], ...long(30)]);
    await vi.waitUntil(() => follower.status()[0]?.position === 51, { timeout: 20_000 });
    expect(await contents(storage)).toMatchObject({ later: '1' });
    world.write('c', [['last', '2']]);
    await follower.stop();
    await followed;
    const before = (await storage.positions())[0]?.offset ?? 0;
    const restoration = new Restoration({ ...around, storages: [{ storage, changelogs: [CHANGELOG] }] });
    expect(await restoration.restore([])).toBe('restored');
    expect(restoration.status()).toMatchObject([{ from: before, position: 52, records: 52 - before }]);
    expect(before).toBeGreaterThanOrEqual(51);
    expect(await contents(storage)).toMatchObject({ last: '2', later: '1' });
  });

  it('writes what it has read when it is stopped, also a few records', async () => {
    const storage = await world.storage(engine);
    const { follower } = await following(storage, 1_000_000);
    await vi.waitUntil(() => follower.status()[0]?.end === 0 && world.metrics.get('standby_lag_records', { store: 's', partition: '0' }) === 0, {
      timeout: 20_000,
    });
    world.write('c', [['a', '1']]);
    await vi.waitUntil(() => follower.status()[0]?.lag === 1, { timeout: 20_000 });
    await new Promise((resolve) => setTimeout(resolve, 20));
    await follower.stop();
    expect(await contents(storage)).toEqual({ a: '1' });
    expect(follower.status()).toMatchObject([{ position: 1, end: 1, lag: 0, records: 1 }]);
    expect(world.metrics.get('standby_records_total', { store: 's' })).toBe(1);
    expect(world.metrics.get('standby_lag_records', { store: 's', partition: '0' })).toBeUndefined();
  });
});

describe('a standby', () => {
  it('is behind by what an open transaction holds back, and never has what was aborted', async () => {
    const open = world.transact('c', [['a', 'x']]);
    const storage = await world.storage('memory');
    const { follower } = await following(storage);
    await vi.waitUntil(() => follower.status()[0]?.lag === 1, { timeout: 20_000 });
    open.end('aborted');
    world.write('c', long(10));
    await vi.waitUntil(() => follower.status()[0]?.position === 12 && follower.status()[0]?.lag === 0, { timeout: 20_000 });
    expect(await contents(storage)).not.toHaveProperty('a');
    await follower.stop();
  });

  it('renews the date of its position while nothing comes', async () => {
    world.write('c', [['a', '1']]);
    const storage = await world.storage('memory');
    await storage.apply([], [{ topic: 'c', partition: 0, offset: 1, time: world.clock.now(), topicId: world.broker.topicId('c') }]);
    const { follower } = await following(storage);
    world.clock.advance(3 * DAY);
    await vi.waitUntil(async () => (await storage.positions())[0]?.time === world.clock.now(), { timeout: 20_000 });
    await follower.stop();
  });

  it('begins anew when the changelog is another one of the same name', async () => {
    world.write('c', long(20));
    const storage = await world.storage('memory');
    const { follower } = await following(storage);
    await vi.waitUntil(() => follower.status()[0]?.position === 20, { timeout: 20_000 });
    world.broker.deleteTopic('c');
    world.broker.createTopic('c');
    world.write(
      'c',
      Array.from({ length: 30 }, (_, i) => [`n${i}`, 'a value that fills a chunk'] as const),
    );
    await vi.waitUntil(() => world.metrics.get('restore_rebuilds_total', { store: 's', reason: 'other-topic' }) === 1, { timeout: 20_000 });
    await vi.waitUntil(() => follower.status()[0]?.position === 30, { timeout: 20_000 });
    expect(Object.keys(await contents(storage))).toHaveLength(30);
    await follower.stop();
  });

  it('can be demoted and promoted as often as the group likes', async () => {
    const storage = await world.storage('memory');
    const { around, follower } = await following(storage);
    for (let round = 1; round <= 3; round++) {
      world.write('c', [['round', `${round}`]]);
      await follower.stop();
      expect(await new Restoration({ ...around, storages: [{ storage, changelogs: [CHANGELOG] }] }).restore([])).toBe('restored');
      expect(await contents(storage)).toEqual({ round: `${round}` });
      follower.follow();
    }
    await follower.stop();
  });

  it('ends with the error of its storage', async () => {
    world.write('c', long(20));
    const { following: followed } = await following(dyingAfter(await world.storage('memory'), 0));
    await expect(followed).rejects.toThrow('died');
  });
});
