import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { silentLogger } from '../../src/core/logger.js';
import { OutputBatch } from '../../src/core/output-batch.js';
import type { KeyValueStore, StoreDefinition, StoreEngine } from '../../src/core/store.js';
import type { StateStore } from '../../src/core/store-types.js';
import type { Sink } from '../../src/core/transport.js';
import { resolveStoreEngine } from '../../src/pipeline/plugins.js';
import { CacheBudget } from '../../src/runtime/cache-budget.js';
import { ChangelogWriter } from '../../src/runtime/changelog-writer.js';
import { Chunk } from '../../src/runtime/restore/chunk.js';
import { SharedStorage } from '../../src/runtime/restore/shared-storage.js';
import { TaskState } from '../../src/runtime/task-state.js';
import { serdeFor } from '../../src/serdes/formats.js';
import { levelEngine } from '../../src/stores/leveldb.js';
import { memoryEngine } from '../../src/stores/memory.js';
import { LogBatch, type LogRecord } from '../../src/testing/partition-log.js';
import { minimalEngine } from './minimal-engine.js';
import { collect } from './store-bench.js';
import { type Model, type Operation, operations, TYPED, type TypedModel } from './typed-models.js';

const bytesOf = (text: string): Buffer => Buffer.from(text);

/** A key-value store, with the simplest thing that can be right for it. */
const plain: TypedModel = {
  definition: { type: 'key-value', key: 'string', value: 'string' },
  compacts: true,
  async run(store: KeyValueStore<string, string>, { entries }, { do: what, key, other, value, reverse }) {
    const found = (one: string): string | null => entries.get(one)?.value ?? null;
    const set = (one: string, it: string | null): void =>
      void (it === null ? entries.delete(one) : entries.set(one, { key: one, start: 0, end: 0, value: it }));
    if (what === 'put') {
      store.put(key, value);
      set(key, value);
    } else if (what === 'batch') {
      store.setBatch([
        [key, value],
        [other, 'batch'],
      ]);
      set(key, value);
      set(other, 'batch');
    } else if (what === 'delete') {
      expect(store.delete(key)).toBe(found(key));
      set(key, null);
    } else if (what === 'get') {
      expect(await store.getBatch([key, other, key])).toEqual([found(key), found(other), found(key)]);
      expect(store.putIfAbsent(other, 'absent')).toBe(found(other));
      if (found(other) === null) set(other, 'absent');
    } else {
      const inside = inOrder(entries).filter(([one]) => Buffer.compare(bytesOf(one), bytesOf(key)) >= 0 && Buffer.compare(bytesOf(one), bytesOf(other)) <= 0);
      expect(await collect(store.range(key, other, { reverse }))).toEqual(reverse ? inside.reverse() : inside);
    }
  },
  async compare(store: KeyValueStore<string, string>, { entries }) {
    expect(await collect(store.all())).toEqual(inOrder(entries));
  },
};

function inOrder(entries: Model['entries']): [string, string][] {
  return [...entries.values()].map(({ key, value }): [string, string] => [key, value as string]).sort(([a], [b]) => Buffer.compare(bytesOf(a), bytesOf(b)));
}

const ALL: Readonly<Record<string, readonly [TypedModel, number]>> = { 'key-value': [plain, 10_000], ...TYPED };
const NAMES = Object.keys(ALL);
const modelOf = (name: string): TypedModel => (ALL[name] as readonly [TypedModel, number])[0];
/** Stores have names that may be those of topics. */
const storeOf = (name: string): string => name.replaceAll(' ', '-');
const DEFINITIONS: readonly StoreDefinition[] = NAMES.map((name) => ({ ...modelOf(name).definition, name: storeOf(name), engine: 'tested' }));

type Models = Map<string, Model>;

const copyOf = (models: Models): Models => new Map([...models].map(([name, { now, entries }]) => [name, { now, entries: new Map(entries) }]));

/** A task with one store of each type, and what each of them must hold: in the batch, uncommitted, committed, and on the disk. */
class ModelledTask {
  private state!: TaskState;
  private directory!: string;
  private engine: StoreEngine;
  private offset = 0;
  private readonly changelogs = new Map<string, LogRecord[]>(NAMES.map((name) => [name, []]));
  /** How much of each changelog the disk has seen. */
  private readonly flushedRecords = new Map<string, number>();
  private now: Models = new Map(NAMES.map((name) => [name, { now: -1, entries: new Map() }]));
  private uncommitted = copyOf(this.now);
  private committed = copyOf(this.now);
  private flushed = copyOf(this.now);

  constructor(
    private readonly makeEngine: () => StoreEngine,
    private readonly cache: CacheBudget,
  ) {
    this.engine = makeEngine();
  }

  async open(): Promise<void> {
    this.directory ??= await mkdtemp(join(tmpdir(), 'kstreamd-model-'));
    this.state = await TaskState.open({
      application: 'app',
      directory: this.directory,
      stores: DEFINITIONS,
      engines: new Map([['tested', this.engine]]),
      serdeFor,
      cache: this.cache,
      logger: silentLogger,
    });
  }

  async close(): Promise<void> {
    await this.state.close();
    await rm(this.directory, { recursive: true, force: true });
  }

  async do(step: Step): Promise<void> {
    if (step.do === 'operation') return modelOf(step.store).run(this.store(step.store), this.model(step.store), step.operation);
    if (step.do === 'iterator') {
      // Kept, and closed for the step at the end of the batch at the latest.
      for (const name of NAMES) void (this.store(name) as KeyValueStore).all().next();
      return;
    }
    await this[step.do]();
    if (step.do !== 'endBatch' && step.do !== 'flush') await this.compare();
  }

  async compare(): Promise<void> {
    for (const name of NAMES) await modelOf(name).compare(this.store(name), this.model(name));
  }

  private endBatch(): void {
    this.state.endBatch();
    this.uncommitted = copyOf(this.now);
  }

  private rollback(): void {
    this.state.rollbackBatch();
    this.now = copyOf(this.uncommitted);
  }

  private abort(): void {
    this.state.abort();
    this.now = copyOf(this.committed);
    this.uncommitted = copyOf(this.now);
  }

  private async commit(): Promise<void> {
    this.state.endBatch();
    await this.state.sweep();
    for (const name of NAMES) {
      const topic = { store: storeOf(name), topic: name, partitions: 1, input: 'in', topicId: undefined, deleteRetentionMs: 0, created: false };
      await new ChangelogWriter(this.state, [topic], 0, this.sink(), () => {}).write(Math.max(this.model(name).now, 0));
    }
    this.state.committed();
    this.uncommitted = copyOf(this.now);
    this.committed = copyOf(this.now);
  }

  private async flush(): Promise<void> {
    await this.state.flush([{ topic: 'in', partition: 0, offset: ++this.offset }]);
    this.flushed = copyOf(this.committed);
    this.noteFlushed();
  }

  /** As after a crash: what was not flushed is gone, here and from the changelogs. */
  private async reopen(): Promise<void> {
    if (!this.engine.persistent) return;
    await this.state.close();
    await this.open();
    for (const [name, records] of this.changelogs) records.length = Math.min(records.length, this.flushedRecords.get(name) ?? 0);
    this.become(this.flushed);
  }

  /** On a new disk, from the changelogs. */
  private async restore(): Promise<void> {
    await this.close();
    this.directory = await mkdtemp(join(tmpdir(), 'kstreamd-model-'));
    this.engine = this.makeEngine();
    await this.open();
    const wanted = NAMES.map((name) => ({ store: storeOf(name), topic: name, partition: 0 }));
    for (const { storage, changelogs } of this.state.restorable(wanted)) {
      const shared = new SharedStorage(storage, false, this.engine.persistent);
      for (const changelog of changelogs) {
        const { store, topic, rows } = changelog;
        const records = this.changelogs.get(topic) ?? [];
        const chunk = new Chunk(rows?.everyRecord || shared.takesEveryRecord(changelog));
        if (records.length > 0) chunk.add(new LogBatch(topic, 0, records));
        await shared.write(store, chunk, { topic, partition: 0, offset: records.length }, rows);
      }
    }
    this.become(this.committed);
    this.flushed = copyOf(this.committed);
    this.noteFlushed();
  }

  private become(models: Models): void {
    this.now = copyOf(models);
    this.uncommitted = copyOf(models);
    this.committed = copyOf(models);
  }

  private noteFlushed(): void {
    for (const [name, { length }] of this.changelogs) this.flushedRecords.set(name, length);
  }

  private model(name: string): Model {
    return this.now.get(name) as Model;
  }

  private store(name: string): StateStore {
    return this.state.store<StateStore & KeyValueStore>(storeOf(name), 'step', modelOf(name).times?.(this.model(name)));
  }

  private sink(): Sink {
    const copy = (bytes: Buffer | null): Buffer | null => (bytes === null ? null : Buffer.from(bytes));
    return {
      send: (outputs) => {
        for (let i = 0; i < outputs.length; i++) {
          const { topic, key, value, timestamp } = outputs.recordAt(i);
          const records = this.changelogs.get(topic) as LogRecord[];
          records.push({ offset: records.length, timestamp, key: copy(key), value: copy(value), headers: [] });
        }
        return new OutputBatch();
      },
      flush: async () => {},
      maxRecordBytes: 1_000_000,
      close: async () => {},
    };
  }
}

type Step =
  | { readonly do: 'operation'; readonly store: string; readonly operation: Operation }
  | { readonly do: 'endBatch' | 'rollback' | 'abort' | 'commit' | 'flush' | 'reopen' | 'restore' | 'iterator' };

const operation: fc.Arbitrary<Step> = fc.oneof(
  ...NAMES.map((store) => operations(ALL[store]?.[1] ?? 0).map((one): Step => ({ do: 'operation', store, operation: one }))),
);
const other: fc.Arbitrary<Step> = fc
  .constantFrom('endBatch', 'endBatch', 'rollback', 'abort', 'commit', 'commit', 'flush', 'flush', 'reopen', 'restore', 'iterator')
  .map((one) => ({ do: one }) as Step);
const steps = fc.array(fc.tuple(fc.nat(1), fc.oneof({ weight: 5, arbitrary: operation }, { weight: 1, arbitrary: other })), { maxLength: 120 });

const pipeline = new URL('../../pipelines/any.yaml', import.meta.url).pathname;
const counting = await resolveStoreEngine('./plugins/value-counting.js#valueCounting', pipeline);
const ENGINES: Readonly<Record<string, () => StoreEngine>> = {
  leveldb: () => levelEngine(),
  memory: () => memoryEngine(),
  'a plugin with get, put, delete and scan only': () => minimalEngine(),
  'a plugin that is restored through restoreBatch': () => counting,
};

describe('two tasks with a store of each type, over one small cache', () => {
  test.each(Object.entries(ENGINES))('hold what plain models hold, whatever happens in between: engine %s (B6, C4, S4, S12)', async (_name, makeEngine) => {
    await fc.assert(
      fc.asyncProperty(steps, fc.constantFrom(0, 1500, 20_000), async (all, limit) => {
        const cache = new CacheBudget(limit);
        const tasks = [new ModelledTask(makeEngine, cache), new ModelledTask(makeEngine, cache)] as const;
        for (const task of tasks) await task.open();
        try {
          for (const [which, step] of all) {
            await (which === 0 ? tasks[0] : tasks[1]).do(step);
            expect(cache.bytes).toBeLessThanOrEqual(limit);
          }
          for (const task of tasks) await task.compare();
        } finally {
          for (const task of tasks) await task.close();
        }
        expect([cache.bytes, cache.entries]).toEqual([0, 0]);
      }),
      { numRuns: Number(process.env.KSTREAMD_RUNS ?? 30) },
    );
  });
});
