import { describe, expect, it, vi } from 'vitest';
import { latin1Of } from '../../../src/core/latin1.js';
import { type Logger, silentLogger } from '../../../src/core/logger.js';
import type { StoreEngine, StoreReader, TaskStorage } from '../../../src/core/store.js';
import type { WindowStore } from '../../../src/core/store-types.js';
import { CacheBudget } from '../../../src/runtime/cache-budget.js';
import { timeOf } from '../../../src/runtime/stores/time-bytes.js';
import { TaskState } from '../../../src/runtime/task-state.js';
import { serdeFor } from '../../../src/serdes/formats.js';
import { memoryEngine } from '../../../src/stores/memory.js';

const open = (engine: StoreEngine, options: { cache?: CacheBudget; logger?: Logger } = {}): Promise<TaskState> =>
  TaskState.open({
    application: 'app',
    directory: '/nowhere',
    stores: [{ name: 'texts', type: 'key-value', engine: 'tested', key: 'string', value: 'string' }],
    engines: new Map([['tested', engine]]),
    serdeFor,
    cache: options.cache ?? new CacheBudget(1_000_000),
    logger: options.logger ?? silentLogger,
  });

/** A memory engine whose writes wait until they are let through or refused. */
function gatedEngine() {
  const gates: { open: () => void; refuse: (error: Error) => void }[] = [];
  const engine: StoreEngine = {
    persistent: false,
    openTask: async (options) => {
      const inner = (await (memoryEngine().openTask(options) as unknown)) as TaskStorage;
      return {
        store: (name) => inner.store(name),
        positions: () => inner.positions(),
        clear: () => inner.clear(),
        close: () => inner.close(),
        apply: (changes, positions) =>
          new Promise<void>((resolve, reject) => {
            gates.push({ open: () => resolve(inner.apply(changes, positions)), refuse: reject });
          }),
      };
    },
  };
  return { engine, gates };
}

describe('the state of a task', () => {
  it('shows the right values while a flush runs, and flushes what came meanwhile next time (B6)', async () => {
    const { engine, gates } = gatedEngine();
    const state = await open(engine);
    const store = state.store<string, string>('texts');
    store.put('a', '1');
    state.endBatch();
    state.committed();
    const flush = state.flush([]);
    store.put('a', '2');
    state.endBatch();
    expect(store.get('a')).toBe('2');
    gates[0]?.open();
    await flush;
    expect(store.get('a')).toBe('2');
    state.abort();
    expect(store.get('a')).toBe('1');
    await state.close();
  });

  it('keeps what a failed flush could not write and writes it again (C4)', async () => {
    const { engine, gates } = gatedEngine();
    const state = await open(engine, { cache: new CacheBudget(0) });
    const store = state.store<string, string>('texts');
    store.put('a', '1');
    state.endBatch();
    state.committed();
    const failed = state.flush([]);
    gates[0]?.refuse(new Error('disk full'));
    await expect(failed).rejects.toThrow('disk full');
    expect(store.get('a')).toBe('1');
    const second = state.flush([]);
    gates[1]?.open();
    await second;
    expect(state.unflushedBytes).toBe(0);
    expect(store.get('a')).toBe('1');
    await state.close();
  });

  it('closes and reports an iterator that a batch left open, with the step’s name (S1)', async () => {
    const warnings: string[] = [];
    const state = await open(memoryEngine(), { logger: { ...silentLogger, warn: (_fields, message) => warnings.push(message) } });
    const store = state.store<string, string>('texts', 'velocity');
    store.put('a', '1');
    for await (const _ of store.all()) break;
    const leaked = store.all();
    state.endBatch();
    expect(warnings).toEqual([expect.stringContaining('step velocity left an iterator over store texts open')]);
    expect(await leaked.next()).toEqual({ done: true, value: undefined });
    await state.close();
  });

  it('bounds clean entries of all its stores in bytes and gives them back when closed (S17)', async () => {
    const cache = new CacheBudget(2_000);
    const state = await open(memoryEngine(), { cache });
    const store = state.store<string, string>('texts');
    for (let i = 0; i < 100; i++) store.put(`key-${i}`, 'value');
    state.endBatch();
    state.committed();
    expect([cache.bytes, state.unflushedBytes > 20_000]).toEqual([0, true]);
    await state.flush([]);
    expect(cache.entries).toBeGreaterThan(5);
    expect(cache.bytes).toBeLessThanOrEqual(2_000);
    expect(store.get('key-0')).toBe('value');
    await state.close();
    expect([cache.bytes, cache.entries]).toEqual([0, 0]);
  });

  it('remembers absent keys and counts what is read and written', async () => {
    const state = await open(memoryEngine());
    const store = state.store<string, string>('texts');
    expect(store.get('a')).toBeNull();
    expect(store.get('a')).toBeNull();
    store.put('a', 'four');
    expect(state.takeCounters().get('texts')).toEqual({ reads: 2, hits: 1, writes: 1, readBytes: 0, writtenBytes: 4, dropped: 0 });
    await state.close();
  });

  it('keeps its bytes when a caller changes theirs', async () => {
    const state = await TaskState.open({
      application: 'app',
      directory: '/nowhere',
      stores: [{ name: 'blobs', type: 'key-value', engine: 'memory', key: 'string', value: 'bytes' }],
      engines: new Map([['memory', memoryEngine()]]),
      serdeFor,
      cache: new CacheBudget(1_000),
      logger: silentLogger,
    });
    const store = state.store<string, Buffer>('blobs');
    const bytes = Buffer.from('before');
    store.put('a', bytes);
    bytes.fill(0);
    store.get('a')?.fill(0);
    expect(String(store.get('a'))).toBe('before');
    await state.close();
  });

  it('removes what has expired while it was removing, without a further flush (S8)', async () => {
    const removals: (() => void)[] = [];
    let rows: StoreReader | undefined;
    const engine: StoreEngine = {
      persistent: false,
      openTask: async (options) => {
        const inner = (await (memoryEngine().openTask(options) as unknown)) as Required<TaskStorage>;
        rows = inner.store('windows');
        const deleteRange: TaskStorage['deleteRange'] = async (...range) => {
          await new Promise<void>((resolve) => removals.push(resolve));
          await inner.deleteRange(...range);
        };
        return {
          store: (name) => inner.store(name),
          positions: () => inner.positions(),
          clear: () => inner.clear(),
          close: () => inner.close(),
          apply: (...all) => inner.apply(...all),
          deleteRange,
        };
      },
    };
    const state = await TaskState.open({
      application: 'app',
      directory: '/nowhere',
      stores: [{ name: 'windows', type: 'window', retentionMs: 120_000, windowSizeMs: 3, engine: 'tested', key: 'string', value: 'string' }],
      engines: new Map([['tested', engine]]),
      serdeFor,
      cache: new CacheBudget(1_000_000),
      logger: silentLogger,
    });
    const write = async (time: number): Promise<void> => {
      state.store<WindowStore<string, string>>('windows').put('k', 'v', time);
      state.endBatch();
      state.committed();
      await state.flush([]);
    };
    const times = async (): Promise<number[]> => {
      const scan = (rows as StoreReader).scan({});
      const found = [...(await scan.next())].map(([key]) => latin1Of(key)).filter((row) => row.charCodeAt(0) === 0);
      await scan.close();
      return found.map((row) => timeOf(row, 0));
    };
    // The second makes the first expire, the third the second while the first is being removed.
    for (const time of [0, 300_000, 600_000]) await write(time);
    expect(await times()).toEqual([0, 300_000, 600_000]);
    await vi.waitUntil(
      async () => {
        for (const remove of removals.splice(0)) remove();
        return (await times()).join() === '600000';
      },
      { timeout: 20_000 },
    );
    await state.close();
  });

  it('refuses a backend that cannot write', async () => {
    const mute: StoreEngine = { persistent: false, open: () => ({ get: () => null, scan: () => ({ next: () => [], close: () => {} }), close: () => {} }) };
    await expect(open(mute)).rejects.toMatchObject({ code: 'store/engine' });
  });
});
