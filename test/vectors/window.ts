import { expect, vi } from 'vitest';
import type { WindowStore } from '../../src/core/store-types.js';
import { timeOf } from '../../src/runtime/stores/time-bytes.js';
import { collect, type StoreBench } from '../conformance/store-bench.js';
import { onEachEngine } from './engines.js';
import type { Vector } from './vector.js';

type Store = WindowStore<number, string>;

const NEAR = 3;

export async function window({ given, expect: expected }: Vector): Promise<undefined> {
  const duplicates = given.retain_duplicates === true;
  const definition = { type: 'window', retentionMs: given.retention, windowSizeMs: 3, retainDuplicates: duplicates, key: 'int32', value: 'string' } as const;
  await onEachEngine(definition, async (bench, settle) => {
    const store = bench.store<Store>();
    for (const [i, [key, value, start]] of given.puts.entries()) {
      store.put(key, value, start);
      await settle();
      const after = expected.after_each_fetch_1_0_0?.[i];
      if (after !== undefined) expect(await values(store.fetch(1, 0, 0))).toEqual(after);
    }
    await check(store, expected);
    if (expected.dropped_records_total !== undefined) expect(bench.state.takeCounters().get('s')?.dropped).toBe(expected.dropped_records_total);
    if (given.then_put !== undefined) return segments(bench, given, expected);
    if (bench.changelog.length > 0) {
      await bench.restore({ portion: 4 });
      await check(bench.store<Store>(), expected);
    }
  });
}

async function check(store: Store, { fetch = [], point = [], fetchAll = [], range = [] }: Vector['expect']): Promise<void> {
  for (const [key, from, to, wanted] of fetch) expect(await values(store.fetch(key, from, to))).toEqual(wanted);
  for (const [key, start, wanted] of point) expect(store.fetch(key, start)).toBe(wanted);
  for (const [from, to, wanted] of fetchAll) expect(await values(store.fetchAll(from, to))).toEqual(wanted);
  for (const [least, most, from, to, wanted] of range) {
    expect(await values(store.fetchRange(least ?? undefined, most ?? undefined, from, to))).toEqual(wanted);
  }
}

/** What is on disk, by the starts of the segments; the fetches are around the time each key was put. */
async function segments(bench: StoreBench, given: Vector['given'], expected: Vector['expect']): Promise<void> {
  const starts = new Map([...given.puts, given.then_put].map(([key, , start]) => [String(key), start]));
  const fetches = async (wanted: Record<string, string[]>): Promise<void> => {
    for (const [key, found] of Object.entries(wanted)) {
      const at = starts.get(key);
      expect(await values(bench.store<Store>().fetch(Number(key), at - NEAR, at + NEAR))).toEqual(found);
    }
  };
  const onDisk = async (wanted: readonly number[]): Promise<void> => {
    await bench.commitAndFlush();
    await vi.waitFor(
      async () => {
        const rows = (await bench.rows()).filter((row) => row.charCodeAt(0) === 0);
        expect([...new Set(rows.map((row) => timeOf(row, 0)))]).toEqual(wanted);
      },
      { timeout: 20_000 },
    );
  };
  await onDisk(expected.segments_before);
  await fetches(expected.fetch_before);
  bench.store<Store>().put(...(given.then_put as [number, string, number]));
  await onDisk(expected.segments_after);
  await fetches(expected.fetch_after);
}

async function values(scan: AsyncIterable<[unknown, string]>): Promise<string[]> {
  return (await collect(scan)).map(([, value]) => value);
}
