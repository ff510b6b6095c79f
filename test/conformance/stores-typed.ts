import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { StoreEngine, StoreType } from '../../src/core/store.js';
import { StoreBench } from './store-bench.js';
import { type Model, type Operation, operations, TYPED, type TypedModel } from './typed-models.js';

type Step =
  | { readonly do: 'operation'; readonly operation: Operation }
  | { readonly do: 'endBatch' | 'rollback' | 'abort' | 'commit' | 'flush' | 'reopen' | 'restore' };

const RUNS = Number(process.env.KSTREAMD_RUNS ?? 60);

/** What every type of store must keep on any engine: the same as a plain model, with restarts, restores and expiry in between (S7–S9). */
export function typedStoreConformance(name: string, makeEngine: () => StoreEngine): void {
  describe(`typed stores of engine ${name}`, () => {
    it.each(Object.entries(TYPED))('a %s store behaves as its model whatever happens in between (B6, C4, S4)', async (_type, [model, span]) => {
      await fc.assert(
        fc.asyncProperty(steps(span), fc.constantFrom(0, 700, 1_000_000), fc.integer({ min: 1, max: 5 }), fc.boolean(), (all, cache, portion, compacted) =>
          run(makeEngine, model, all, cache, { portion, compacted: compacted && model.compacts }),
        ),
        { numRuns: RUNS },
      );
    });

    it.each(Object.entries(TYPED))('a %s store reads many cold keys in one go, as it does one by one', async (_type, [{ definition }]) => {
      const bench = await StoreBench.open(makeEngine, definition, 0);
      const ask = COLD[definition.type];
      const store = bench.store<any>();
      ask.set(store);
      await bench.commitAndFlush();
      expect(await ask.get(store)).toEqual(ask.wanted);
      if (bench.persistent) {
        await bench.reopen();
        expect(await ask.get(bench.store<any>())).toEqual(ask.wanted);
      }
      await bench.close();
    });
  });
}

function steps(span: number): fc.Arbitrary<readonly Step[]> {
  const operation = operations(span).map((one): Step => ({ do: 'operation', operation: one }));
  const other = fc
    .constantFrom<Step['do']>('endBatch', 'endBatch', 'rollback', 'abort', 'commit', 'commit', 'flush', 'reopen', 'restore')
    .map((one) => ({ do: one }) as Step);
  return fc.array(fc.oneof({ weight: 3, arbitrary: operation }, { weight: 1, arbitrary: other }), { maxLength: 50 });
}

async function run(
  makeEngine: () => StoreEngine,
  typed: TypedModel,
  all: readonly Step[],
  cacheBytes: number,
  restore: { readonly portion: number; readonly compacted: boolean },
): Promise<void> {
  const bench = await StoreBench.open(makeEngine, typed.definition, cacheBytes);
  const copy = (model: Model): Model => ({ now: model.now, entries: new Map(model.entries) });
  const empty: Model = { now: -1, entries: new Map() };
  const model = copy(empty);
  let [uncommitted, committed, flushed] = [copy(empty), copy(empty), copy(empty)];
  const become = (other: Model): void => void Object.assign(model, copy(other));
  const open = () => bench.store<any>(typed.times?.(model));
  let store = open();
  /** Records of the changelog that the flushed state has seen: a store never leads what is committed. */
  let flushedRecords = 0;
  try {
    for (const step of all) {
      if (step.do === 'operation') {
        await typed.run(store, model, step.operation);
      } else if (step.do === 'endBatch') {
        bench.endBatch();
        uncommitted = copy(model);
      } else if (step.do === 'rollback') {
        bench.state.rollbackBatch();
        become(uncommitted);
      } else if (step.do === 'abort') {
        bench.state.abort();
        become(committed);
        uncommitted = copy(model);
      } else if (step.do === 'commit') {
        await bench.commit(Math.max(model.now, 0));
        uncommitted = copy(model);
        committed = copy(model);
      } else if (step.do === 'flush') {
        await bench.flush();
        flushed = copy(committed);
      } else if (step.do === 'reopen' && bench.persistent) {
        // As after a crash: what was not flushed comes again from the changelog.
        await bench.reopen();
        become(flushed);
        [uncommitted, committed] = [copy(model), copy(model)];
        bench.changelog.length = Math.min(bench.changelog.length, flushedRecords);
        store = open();
      } else if (step.do === 'restore') {
        await bench.restore(restore);
        become(committed);
        [uncommitted, flushed] = [copy(model), copy(model)];
        store = open();
      }
      if (step.do === 'flush' || step.do === 'restore') flushedRecords = bench.changelog.length;
      if (step.do === 'commit' || step.do === 'reopen' || step.do === 'restore') await typed.compare(store, model);
    }
    await typed.compare(store, model);
  } finally {
    await bench.close();
  }
}
const KEYS = Array.from({ length: 100 }, (_, i) => `key ${i}`);
const VALUES = KEYS.map((key) => `value of ${key}`);

/** Batch forms over more keys than are read one by one. */
const COLD: Readonly<Record<StoreType, { set(store: any): void; get(store: any): unknown; readonly wanted: unknown }>> = {
  'key-value': {
    set: (store) => store.setBatch(KEYS.map((key, i) => [key, VALUES[i], 1000])),
    get: (store) => store.getBatch([...KEYS, 'absent']),
    wanted: [...VALUES, null],
  },
  timestamped: {
    set: (store) => store.setBatch(KEYS.map((key, i) => [key, { value: VALUES[i], timestamp: i }])),
    get: (store) => store.getBatch([...KEYS, 'absent']),
    wanted: [...VALUES.map((value, timestamp) => ({ value, timestamp })), null],
  },
  versioned: {
    set: (store) => store.setBatch(KEYS.flatMap((key, i) => [0, 1].map((n) => [key, `${VALUES[i]} ${n}`, 1000 + n]))),
    get: (store) => store.getBatch([...KEYS, 'absent'], [...KEYS.map((_, i) => 1000 + (i % 2)), 1000]),
    wanted: [...VALUES.map((value, i) => ({ value: `${value} ${i % 2}`, timestamp: 1000 + (i % 2), validTo: i % 2 === 0 ? 1001 : null })), null],
  },
  window: {
    set: (store) => store.setBatch(KEYS.map((key, i) => [key, VALUES[i], i])),
    get: (store) => store.getBatch([...KEYS.map((key, i) => [key, i]), ['key 1', 2]]),
    wanted: [...VALUES, null],
  },
  session: {
    set: (store) => store.setBatch(KEYS.map((key, i) => [{ key, start: i, end: 2 * i }, VALUES[i]])),
    get: (store) => store.getBatch([...KEYS.map((key, i) => ({ key, start: i, end: 2 * i })), { key: 'key 1', start: 1, end: 1 }]),
    wanted: [...VALUES, null],
  },
};
