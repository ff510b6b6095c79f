import { expect } from 'vitest';
import { NOT_PUT, VALID_TO_UNDEFINED, type VersionedRecord, type VersionedStore } from '../../src/core/store-types.js';
import type { StoreBench } from '../conformance/store-bench.js';
import { onEachEngine } from './engines.js';
import type { Vector } from './vector.js';

type Store = VersionedStore<string, string>;

export async function versioned({ given, expect: expected }: Vector): Promise<undefined> {
  const definition = { type: 'versioned', historyMs: given.hr, key: 'string', value: 'string' } as const;
  await onEachEngine(definition, async (bench, settle) => {
    const store = bench.store<Store>();
    for (const batch of given.restore_batches ?? []) await bench.replay(batch.map(recordOf));
    for (const op of given.ops ?? []) {
      run(store, op);
      await settle();
    }
    check(store, expected);
    await checkAfterwards(bench, expected);
  });
}

function run(store: Store, [op, key, ...rest]: readonly any[]): void {
  if (op === 'put') expect(store.put(key, rest[0], rest[1])).toBe(returnOf(rest[2]));
  else if (op === 'delete') matches(store.delete(key, rest[0]), rest[1]);
  else matches(store.get(key, rest[0]), rest[1]);
}

function check(store: Store, { get, asof = [], gets = {} }: Vector['expect']): void {
  if (get !== undefined) matches(store.get('k'), get);
  for (const [time, value, from, to] of asof) matches(store.get('k', time), value === null ? null : to === undefined ? [value, from] : [value, from, to]);
  for (const [key, wanted] of Object.entries(gets)) matches(store.get(key), wanted as any);
}

/** The same after a stop and after a restore. */
async function checkAfterwards(bench: StoreBench, expected: Vector['expect']): Promise<void> {
  if (bench.changelog.length > 0) {
    if (expected.dropped_records_total !== undefined) expect(bench.state.takeCounters().get('s')?.dropped).toBe(expected.dropped_records_total);
    if (bench.persistent) {
      await bench.reopen();
      check(bench.store<Store>(), expected);
    }
    await bench.restore({ portion: 2 });
    check(bench.store<Store>(), expected);
  } else if (expected.dropped_records_total !== undefined) expect(bench.state.takeCounters().get('s')?.dropped).toBe(expected.dropped_records_total);
}

function returnOf(word: number | 'UNDEF' | 'NOT_PUT'): number {
  return word === 'UNDEF' ? VALID_TO_UNDEFINED : word === 'NOT_PUT' ? NOT_PUT : word;
}

function matches(record: VersionedRecord<string> | null, wanted: readonly [string, number, (number | 'UNDEF')?] | null): void {
  if (wanted === null || record === null) {
    expect(record).toEqual(wanted);
    return;
  }
  const [value, timestamp, validTo] = wanted;
  expect(record).toMatchObject({ value, timestamp, ...(validTo !== undefined && { validTo: validTo === 'UNDEF' ? null : validTo }) });
}

function recordOf([key, value, timestamp]: readonly [string, string | null, number], offset: number) {
  return { offset, timestamp, key: Buffer.from(key), value: value === null ? null : Buffer.from(value), headers: [] };
}
