import { expect } from 'vitest';
import type { SessionStore } from '../../src/core/store-types.js';
import { collect } from '../conformance/store-bench.js';
import { onEachEngine } from './engines.js';
import type { Vector } from './vector.js';

type Store = SessionStore<string, number>;

const DEFAULT_RETENTION_MS = 60_000;

export async function session({ given, expect: expected }: Vector): Promise<undefined> {
  const definition = { type: 'session', retentionMs: given.retention ?? DEFAULT_RETENTION_MS, key: 'string', value: 'int64' } as const;
  await onEachEngine(definition, async (bench, settle) => {
    const store = bench.store<Store>();
    for (const [key, start, end, value] of given.puts ?? given.session_store_puts) {
      store.put({ key, start, end }, value);
      await settle();
    }
    await check(store, expected);
    await bench.commitAndFlush();
    await bench.restore();
    await check(bench.store<Store>(), expected);
  });
}

async function check(store: Store, { find = [], find_by_end_time = [], find_range = [], fetch_a }: Vector['expect']): Promise<void> {
  for (const [key, end, start, wanted] of find) expect(await values(store.findSessions(key, end, start))).toEqual(wanted);
  for (const [from, to, wanted] of find_by_end_time) expect(await values(store.findSessionsByEnd(from, to))).toEqual(wanted);
  for (const [least, most, end, start, wanted] of find_range) {
    const latest = start === 'MAX' ? Number.MAX_SAFE_INTEGER : start;
    // Sessions of several keys come in an order that each engine's layout decides, upstream too.
    expect((await values(store.findSessionsRange(least, most, end, latest))).sort()).toEqual(wanted);
  }
  if (fetch_a !== undefined) expect(await values(store.fetch('a'))).toEqual(fetch_a);
}

async function values(scan: AsyncIterable<[unknown, number]>): Promise<number[]> {
  return (await collect(scan)).map(([, value]) => value);
}
