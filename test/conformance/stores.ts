import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../src/core/logger.js';
import type { KeyValueStore, StoreDefinition, StoreEngine } from '../../src/core/store.js';
import { CacheBudget } from '../../src/runtime/cache-budget.js';
import { TaskState } from '../../src/runtime/task-state.js';
import { serdeFor } from '../../src/serdes/formats.js';
import { storeModel } from './store-model.js';

const positions = [
  { topic: 'in-put', partition: 3, offset: 7 },
  { topic: 'other', partition: 0, offset: 2 ** 40 },
];

/** What any store engine must keep, a plugin's too: give it a fresh engine per call and run it as a test file. */
export function storeConformance(name: string, makeEngine: () => StoreEngine): void {
  describe(`store engine ${name}`, () => {
    let directory: string;
    let state: TaskState;
    let engine: StoreEngine;
    const cacheBytes = { current: 1_000_000 };

    const open = (stores = [texts, numbers, blobs]): Promise<TaskState> =>
      TaskState.open({
        application: 'conformance',
        directory,
        stores,
        engines: new Map([['tested', engine]]),
        serdeFor,
        cache: new CacheBudget(cacheBytes.current),
        logger: silentLogger,
      });
    const text = (): KeyValueStore<string, string> => state.store('texts');
    const commit = (): void => {
      state.endBatch();
      state.committed();
    };
    /** Ends the batch and takes it to where `layer` says. */
    const settle = async (layer: Layer): Promise<void> => {
      if (layer === 'batch') return;
      state.endBatch();
      if (layer === 'uncommitted') return;
      state.committed();
      if (layer === 'committed') return;
      await state.flush(positions);
    };
    const fill = (store: KeyValueStore<string, string>, keys: string): void => {
      for (const key of keys) store.put(key, key.toUpperCase());
    };

    beforeEach(async () => {
      directory = await mkdtemp(join(tmpdir(), 'kstreamd-stores-'));
      engine = makeEngine();
      cacheBytes.current = 1_000_000;
      state = await open();
    });
    afterEach(async () => {
      await state.close();
      await rm(directory, { recursive: true, force: true });
    });

    describe.each<Layer>(['batch', 'uncommitted', 'committed', 'engine'])('with writes in the layer %s (S1, B6)', (layer) => {
      it('gets, puts, deletes and puts if absent', async () => {
        fill(text(), 'abc');
        await settle(layer);
        expect(text().get('a')).toBe('A');
        expect(text().get('x')).toBeNull();
        expect(text().putIfAbsent('a', 'other')).toBe('A');
        expect(text().putIfAbsent('d', 'D')).toBeNull();
        expect(text().delete('b')).toBe('B');
        expect(text().delete('b')).toBeNull();
        text().put('c', null);
        expect(['a', 'b', 'c', 'd'].map((key) => text().get(key))).toEqual(['A', null, null, 'D']);
        expect(await entries(text().all())).toEqual(['aA', 'dD']);
      });

      it('reads and writes in batches; the last write of a key wins', async () => {
        text().setBatch([
          ['a', '1'],
          ['b', '2'],
          ['a', '3'],
          ['c', '4'],
          ['c', null],
        ]);
        await settle(layer);
        expect(await text().getBatch(['c', 'a', 'x', 'b', 'a'])).toEqual([null, '3', null, '2', '3']);
        text().deleteBatch(['a', 'x']);
        expect(await text().getBatch(['a', 'b'])).toEqual([null, '2']);
        expect(await text().getBatch([])).toEqual([]);
      });

      it('scans ranges inclusively, prefixes, both ways and with limits', async () => {
        fill(text(), 'ecadb');
        text().setBatch([
          ['ba', 'x'],
          ['bb', 'y'],
        ]);
        await settle(layer);
        const keys = async (scan: AsyncIterable<[string, string]>) => (await entries(scan)).map((entry) => entry.slice(0, -1)).join(' ');
        expect(await keys(text().all())).toBe('a b ba bb c d e');
        expect(await keys(text().range('b', 'd'))).toBe('b ba bb c d');
        expect(await keys(text().range('bz', 'cz'))).toBe('c');
        expect(await keys(text().range(undefined, 'b'))).toBe('a b');
        expect(await keys(text().range('c'))).toBe('c d e');
        expect(await keys(text().range('d', 'b'))).toBe('');
        expect(await keys(text().prefixScan('b'))).toBe('b ba bb');
        expect(await keys(text().prefixScan('b', { reverse: true, limit: 2 }))).toBe('bb ba');
        expect(await keys(text().all({ reverse: true }))).toBe('e d c bb ba b a');
        expect(await keys(text().range('b', 'd', { reverse: true, limit: 3 }))).toBe('d c bb');
        expect(await keys(text().all({ limit: 0 }))).toBe('');
        expect(await keys(text().all({ limit: 2 }))).toBe('a b');
      });

      it('tells a tombstone from empty bytes and allows an empty key', async () => {
        text().put('empty', '');
        text().put('gone', 'x');
        text().put('gone', null);
        text().put('', 'no key');
        await settle(layer);
        expect([text().get('empty'), text().get('gone'), text().get('')]).toEqual(['', null, 'no key']);
        expect(await entries(text().all())).toEqual(['no key', 'empty']);
      });

      it('orders by bytes, not by text or number', async () => {
        const store = state.store<Buffer, Buffer>('blobs');
        const keys = ['ff', '00', '7f', '80', 'ff00', '', '0000', '7fff', 'ffff'];
        for (const key of keys) store.put(Buffer.from(key, 'hex'), Buffer.from([1]));
        await settle(layer);
        const scanned = async (prefix: string): Promise<string[]> => {
          const found: string[] = [];
          for await (const [key] of store.prefixScan(Buffer.from(prefix, 'hex'))) found.push(key.toString('hex'));
          return found;
        };
        expect(await scanned('')).toEqual(['', '00', '0000', '7f', '7fff', '80', 'ff', 'ff00', 'ffff']);
        expect(await scanned('ff')).toEqual(['ff', 'ff00', 'ffff']);
      });

      it('keeps a scan at the moment it was made', async () => {
        fill(text(), 'abcd');
        await settle(layer);
        const scan = text().all();
        text().put('a', 'later');
        text().delete('c');
        text().put('bb', 'later');
        expect(await entries(scan)).toEqual(['aA', 'bB', 'cC', 'dD']);
        expect(await entries(text().all())).toEqual(['alater', 'bB', 'bblater', 'dD']);
      });

      it('lays writes over what the engine holds', async () => {
        fill(text(), 'abcde');
        await settle('engine');
        text().put('a', '1');
        text().deleteBatch(['b', 'd', 'e']);
        text().put('cc', '2');
        await settle(layer);
        expect(await entries(text().all())).toEqual(['a1', 'cC', 'cc2']);
        expect(await entries(text().all({ reverse: true }))).toEqual(['cc2', 'cC', 'a1']);
        expect(await entries(text().all({ limit: 2 }))).toEqual(['a1', 'cC']);
        expect(await text().getBatch(['a', 'b', 'cc'])).toEqual(['1', null, '2']);
      });
    });

    it('has the order and ranges of Kafka Streams’ own key-value test (kv-01)', async () => {
      const store = state.store<number, string>('numbers');
      for (const [key, value] of [
        [0, 'zero'],
        [1, 'one'],
        [2, 'two'],
        [4, 'four'],
        [5, 'five'],
      ] as const)
        store.put(key, value);
      expect(store.get(3)).toBeNull();
      expect(store.delete(5)).toBe('five');
      expect(await entries(store.range(2, 4))).toEqual(['2two', '4four']);
      expect(await entries(store.range(2, 6))).toEqual(['2two', '4four']);
      expect(await entries(store.all())).toEqual(['0zero', '1one', '2two', '4four']);
    });

    it.each([null, undefined])('refuses the key %s everywhere (kv-03)', (key) => {
      const store = state.store<any, string>('texts');
      const operations: (() => unknown)[] = [
        () => store.get(key),
        () => store.put(key, 'x'),
        () => store.putIfAbsent(key, 'x'),
        () => store.delete(key),
        () => store.getBatch([key]),
        () => store.setBatch([[key, 'x']]),
        () => store.deleteBatch([key]),
        () => store.prefixScan(key),
      ];
      for (const operation of operations) expect(operation).toThrow(TypeError);
    });

    it('counts its entries: exactly while they are few, about when they are many (S1)', async () => {
      expect(await text().approximateCount()).toBe(0);
      fill(text(), 'abcde');
      expect(await text().approximateCount()).toBe(5);
      await settle('engine');
      text().deleteBatch(['a', 'x']);
      text().put('b', 'again');
      text().put('f', 'new');
      for (const layer of ['batch', 'uncommitted', 'committed', 'engine'] as const) {
        await settle(layer);
        expect(await text().approximateCount(), layer).toBe(5);
      }
      // An engine without batches need not be fast with many.
      if (!('openTask' in engine)) return;
      const many = 30_000;
      text().setBatch(Array.from({ length: many }, (_, i) => [`key-${i}`, `${i * 7919} ${i * 104_729}`.padEnd(60, String(i))]));
      expect(await text().approximateCount()).toBe(many + 5);
      await settle('engine');
      if (!engine.persistent) return expect(await text().approximateCount()).toBe(many + 5);
      // What stands in LevelDB's log is not in files whose sizes it knows; a restart puts it there.
      await state.close();
      state = await open();
      const count = await text().approximateCount();
      expect(count / many).toBeGreaterThan(0.7);
      expect(count / many).toBeLessThan(1.3);
      expect(await state.store('numbers').approximateCount()).toBe(0);
    });

    it('fetches many cold keys in one go', async () => {
      const keys = Array.from({ length: 500 }, (_, i) => `key-${i}`);
      text().setBatch(keys.map((key) => [key, key]));
      await settle('engine');
      cacheBytes.current = 0;
      if (engine.persistent) {
        await state.close();
        state = await open();
      }
      expect(await text().getBatch([...keys, 'absent'])).toEqual([...keys, null]);
    });

    it('drops the batch on rollback and everything uncommitted on abort (B6)', async () => {
      fill(text(), 'ab');
      await settle('engine');
      text().put('a', 'committed');
      commit();
      text().put('a', 'uncommitted');
      text().put('c', 'uncommitted');
      state.endBatch();
      text().put('a', 'batch');
      text().put('d', 'batch');
      text().delete('b');
      state.rollbackBatch();
      expect(await entries(text().all())).toEqual(['auncommitted', 'bB', 'cuncommitted']);
      text().put('b', 'batch');
      state.abort();
      expect(await entries(text().all())).toEqual(['acommitted', 'bB']);
      expect(await text().getBatch(['a', 'b', 'c', 'd'])).toEqual(['committed', 'B', null, null]);
    });

    it('keeps the stores of a task apart', async () => {
      text().put('a', 'text');
      state.store<Buffer, Buffer>('blobs').put(Buffer.from('a'), Buffer.from('blob'));
      await settle('engine');
      expect(text().get('a')).toBe('text');
      text().delete('a');
      await settle('engine');
      expect(String(state.store<Buffer, Buffer>('blobs').get(Buffer.from('a')))).toBe('blob');
      expect(await entries(text().all())).toEqual([]);
    });

    it('has after a restart what was flushed and nothing else, with its positions (C4)', async () => {
      if (!engine.persistent) return expect(await state.positions()).toEqual([]);
      fill(text(), 'ab');
      state.store<number, string>('numbers').put(1, 'one');
      await settle('engine');
      text().put('a', 'committed');
      await settle('committed');
      text().put('b', 'uncommitted');
      state.endBatch();
      await state.close();
      state = await open();
      expect(await entries(text().all())).toEqual(['aA', 'bB']);
      expect(state.store<number, string>('numbers').get(1)).toBe('one');
      expect([...(await state.positions())].sort((a, b) => a.partition - b.partition)).toEqual([positions[1], positions[0]]);
    });

    it('writes only what is committed, also while a batch is open (C4)', async () => {
      text().put('a', 'committed');
      commit();
      text().put('a', 'uncommitted');
      state.endBatch();
      text().put('a', 'batch');
      await state.flush(positions);
      expect(text().get('a')).toBe('batch');
      state.abort();
      expect(text().get('a')).toBe('committed');
      if (!engine.persistent) return;
      text().put('a', 'never committed');
      await state.close();
      state = await open();
      expect(text().get('a')).toBe('committed');
    });

    it('behaves as a map whatever happens in between (B6, C4)', async () => {
      await fc.assert(
        fc.asyncProperty(storeModel.commands, storeModel.cacheSizes, async (commands, cacheSize) => {
          await state.close();
          await rm(directory, { recursive: true, force: true });
          directory = await mkdtemp(join(tmpdir(), 'kstreamd-stores-'));
          engine = makeEngine();
          cacheBytes.current = cacheSize;
          state = await open();
          const reopen = async (): Promise<TaskState> => {
            await state.close();
            state = await open();
            return state;
          };
          await storeModel.run(commands, { state: () => state, store: 'texts', reopen: engine.persistent ? reopen : undefined });
        }),
        { numRuns: 60 },
      );
    });
  });
}

type Layer = 'batch' | 'uncommitted' | 'committed' | 'engine';

const definition = (name: string, key: string, value: string): StoreDefinition => ({ name, type: 'key-value', engine: 'tested', key, value });
const texts = definition('texts', 'string', 'string');
const numbers = definition('numbers', 'int32', 'string');
const blobs = definition('blobs', 'bytes', 'bytes');

async function entries(scan: AsyncIterable<[string | number, string]>): Promise<string[]> {
  const found: string[] = [];
  for await (const [key, value] of scan) found.push(`${key}${value}`);
  return found;
}
