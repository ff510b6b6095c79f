import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { KeyValueStore, StoreDefinition } from '../../../src/core/store.js';
import { fold, storeOf } from './changelog-bench.js';
import { each } from './harness.js';
import { LevelBench } from './level-worker.js';

const TTL = 60_000;
const CHANGELOG = 'app-seen-changelog';
const seen: StoreDefinition = { ...storeOf('seen'), ttlMs: TTL };

/** What the store had of the record's key, and from then on the record. */
const lookup = each((record, context) => {
  const store: KeyValueStore<string, unknown> = context.store('seen');
  context.forward(record.withValue(store.get(record.key)));
  store.put(record.key, record.value);
});

let bench: LevelBench;
beforeEach(() => {
  bench = new LevelBench();
});
afterEach(() => bench.close());

function append(key: string, timestamp: number, value: unknown = timestamp): void {
  bench.broker.append('in', { partition: 0, key: Buffer.from(key), value: Buffer.from(JSON.stringify(value)), timestamp });
}

const changes = (): string[] => bench.broker.records(CHANGELOG).map(({ key, value, timestamp }) => `${key}=${value}@${timestamp}`);

describe('S9: ttl in a task', { timeout: 60_000 }, () => {
  test('an entry is there for so long in event time, and a tombstone takes it from the changelog', async () => {
    const running = bench.run(lookup, [seen]);
    for (const [key, time] of [
      ['a', 1000],
      ['b', 10_000],
      ['a', 30_000],
      ['b', 69_999],
      ['a', 90_000],
      ['b', 129_999],
    ] as const)
      append(key, time);
    await bench.untilCommitted();
    expect(bench.values('out')).toEqual([null, null, 1000, 10_000, null, null]);
    // Both are over long ago when this comes.
    append('c', 300_000);
    await bench.until(() => bench.broker.records(CHANGELOG).some(({ key, value }) => String(key) === 'b' && value === null), 10);
    expect(fold(bench.broker.records(CHANGELOG))).toEqual({ c: 300_000 });
    // Records carry the times of the entries, from which a restore counts.
    expect(changes()).toContain('c=300000@300000');
    await running.stop();
  });

  test('goes on after a stop, and after a restore of nothing but the changelog', async () => {
    await bench.run(lookup, [seen]).stop();
    for (const lose of [false, true]) {
      const from = bench.broker.records('in').length;
      const base = 1_000_000 * (lose ? 2 : 1);
      const first = bench.run(lookup, [seen]);
      for (const key of ['old', 'young']) append(key, base);
      append('young', base + 30_000);
      await bench.untilCommitted();
      await first.stop();
      if (lose) bench.loseDisk();
      const second = bench.run(lookup, [seen]);
      append('old', base + TTL - 1);
      append('old', base + TTL);
      append('young', base + TTL);
      append('young', base + 2 * TTL);
      await bench.untilCommitted();
      expect(bench.values('out').slice(from)).toEqual([null, null, base, base, base + TTL - 1, base + 30_000, null]);
      await second.stop();
    }
  });

  test('what ended while the daemon was down is swept after a restore too', async () => {
    const first = bench.run(lookup, [seen]);
    for (let i = 0; i < 100; i++) append(`key ${i}`, 1000 + i);
    await bench.untilCommitted();
    await first.stop();
    expect(Object.keys(fold(bench.broker.records(CHANGELOG)))).toHaveLength(100);
    bench.loseDisk();
    const second = bench.run(lookup, [seen]);
    append('new', 10 * TTL);
    await bench.until(() => Object.keys(fold(bench.broker.records(CHANGELOG))).length === 1, 10);
    await second.stop();
    expect(fold(bench.broker.records(CHANGELOG))).toEqual({ new: 10 * TTL });
  });

  test('B3: outputs and changelog are the same whatever the size of batches', async () => {
    const record = fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.integer({ min: -20, max: 40 }));
    await fc.assert(
      fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 60 }), async (records) => {
        const results: unknown[] = [];
        for (const maxRecords of [1, 7, 60]) {
          const one = new LevelBench();
          const running = one.run(lookup, [seen], { batch: { maxRecords, maxWaitMs: 10, maxBytes: 1e6 } });
          let time = 100_000;
          for (const [key, step] of records) {
            time += step * 1000;
            one.broker.append('in', { partition: 0, key: Buffer.from(key), value: Buffer.from(String(time)), timestamp: Math.max(time, 0) });
          }
          await one.untilCommitted();
          await running.stop();
          const alive = Object.entries(fold(one.broker.records(CHANGELOG)));
          const now = Math.max(...one.broker.records('in').map(({ timestamp }) => timestamp));
          // Entries that are over may still wait to be swept.
          results.push({ out: one.values('out'), alive: alive.filter(([, value]) => Number(value) + TTL > now) });
          await one.close();
        }
        expect(results[1]).toEqual(results[0]);
        expect(results[2]).toEqual(results[0]);
      }),
      { numRuns: 12 },
    );
  });
});
