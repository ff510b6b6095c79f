import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { KeyValueStore, StoreDefinition } from '../../../src/core/store.js';
import type { TimestampedStore, VersionedStore } from '../../../src/core/store-types.js';
import { storeOf } from './changelog-bench.js';
import { each } from './harness.js';
import { LevelBench } from './level-worker.js';

const HOUR = 3_600_000;
/** Its changelog was made for a key-value store: compacted as soon as the broker likes, as Kafka has it. */
const prices: StoreDefinition = {
  ...storeOf('prices'),
  changelog: { topic: 'app-prices-changelog', config: { 'cleanup.policy': 'compact', 'min.compaction.lag.ms': '0' } },
};
const others = storeOf('others');
const versioned: StoreDefinition = { ...prices, type: 'versioned', historyMs: HOUR };
const timestamped: StoreDefinition = { ...prices, type: 'timestamped' };

/** Puts what comes into the store; a second one has it too. */
const keeping = each((record, context) => {
  (context.store('prices') as KeyValueStore).put(record.key, record.value);
  (context.store('others') as KeyValueStore).put(record.key, record.value);
});
const keepingTimes = each((record, context) => {
  (context.store('prices') as TimestampedStore).put(record.key, { value: record.value, timestamp: record.timestamp });
  (context.store('others') as KeyValueStore).put(record.key, record.value);
});

/** What the versioned store has of the key as of the record's value, and what the other store has. */
const asking = each((record, context) => {
  const found = (context.store('prices') as unknown as VersionedStore).get(record.key, record.value);
  context.forward(record.withValue([found?.value ?? null, found?.timestamp ?? null, (context.store('others') as KeyValueStore).get(record.key)]));
});

let bench: LevelBench;
beforeEach(() => {
  bench = new LevelBench();
});
afterEach(() => bench.close());

function append(key: string, value: unknown, timestamp: number): void {
  bench.broker.append('in', { partition: 0, key: Buffer.from(key), value: Buffer.from(JSON.stringify(value)), timestamp });
}

async function fill(step: typeof keeping, definition: StoreDefinition): Promise<void> {
  const running = bench.run(step, [definition, others]);
  for (const [key, value, timestamp] of [
    ['a', 1, 1000],
    ['b', 1, 2000],
    ['a', 2, 3000],
    ['a', 3, 5000],
  ] as const) {
    append(key, value, timestamp);
    // A commit for each: one record in the changelog for each.
    await bench.untilCommitted();
  }
  await running.stop();
}

async function ask(questions: readonly (readonly [string, number])[], definition = versioned): Promise<unknown[]> {
  const before = bench.values('out').length;
  const running = bench.run(asking, [definition, others]);
  for (const [key, asOf] of questions) append(key, asOf, 6000);
  await bench.untilCommitted();
  await running.stop();
  return bench.values('out').slice(before);
}

const QUESTIONS = [
  ['a', 5000],
  ['a', 4999],
  ['a', 1500],
  ['b', 9000],
  ['c', 9000],
] as const;
const ANSWERS = [
  [3, 5000, 3],
  [2, 3000, 3],
  [1, 1000, 3],
  [1, 2000, 1],
  [null, null, null],
];

describe('S15: a store that becomes versioned is built anew from its changelog', { timeout: 60_000 }, () => {
  test.each([
    ['timestamped', keepingTimes, timestamped],
    ['key-value', keeping, prices],
    ['key-value with a ttl', keeping, { ...prices, ttlMs: 24 * HOUR }],
  ] as const)('a %s one, while the other store of the task stays as it is', async (_type, step, definition) => {
    await fill(step, definition);
    expect(await ask(QUESTIONS)).toEqual(ANSWERS);
    expect(bench.infos.filter(({ message }) => message.includes('defined otherwise')).map(({ fields }) => fields)).toEqual([
      { store: 'prices', type: 'versioned' },
    ]);
    // Once: from then on it is what it is.
    expect(await ask(QUESTIONS)).toEqual(ANSWERS);
    expect(bench.infos.filter(({ message }) => message.includes('defined otherwise'))).toHaveLength(1);
    expect(bench.warnings.filter(({ message }) => message.includes('built anew')).map(({ fields }) => fields.store)).toEqual(['prices']);
  });

  test('and where the disk is new', async () => {
    await fill(keepingTimes, timestamped);
    bench.loseDisk();
    expect(await ask(QUESTIONS)).toEqual(ANSWERS);
  });

  test('a warning names what its changelog may lose meanwhile, and how to change that', async () => {
    await fill(keepingTimes, timestamped);
    expect(bench.warnings).toEqual([]);
    await ask(QUESTIONS);
    const warning = bench.warnings.find(({ message }) => message.includes('min.compaction.lag.ms=0'));
    expect(warning?.fields).toMatchObject({ topic: 'app-prices-changelog', store: 'prices', fix: expect.stringContaining('kafka-configs.sh') });
  });

  test('a history of another length does the same', async () => {
    await fill(keepingTimes, timestamped);
    expect(await ask(QUESTIONS)).toEqual(ANSWERS);
    expect(await ask(QUESTIONS, { ...versioned, historyMs: 100 * HOUR })).toEqual(ANSWERS);
    const shorter = { ...versioned, historyMs: 1000 };
    expect((await ask([['a', 1500]], shorter))[0]).toEqual([null, null, 3]);
  });

  test('the way back is refused, and so is a change without a changelog', async () => {
    await fill(keepingTimes, timestamped);
    await ask(QUESTIONS);
    const back = bench.run(keeping, [prices, others]);
    expect(await back.ended).toMatchObject({ code: 'state/definition-changed' });
    const { changelog: _, ...local } = prices;
    const second = new LevelBench();
    const first = second.run(keeping, [local, others]);
    second.broker.append('in', { partition: 0, key: Buffer.from('a'), value: Buffer.from('1'), timestamp: 1 });
    await second.untilCommitted();
    await first.stop();
    const { changelog: __, ...now } = versioned;
    expect(await second.run(asking, [now, others]).ended).toMatchObject({ code: 'state/definition-changed' });
    await second.close();
  });
});
