import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { latin1Of } from '../../src/core/latin1.js';
import { silentLogger } from '../../src/core/logger.js';
import { OutputBatch } from '../../src/core/output-batch.js';
import type { StoreDefinition, StoreEngine, StoreReader, TaskStorage } from '../../src/core/store.js';
import type { StateStore } from '../../src/core/store-types.js';
import type { Sink } from '../../src/core/transport.js';
import { CacheBudget } from '../../src/runtime/cache-budget.js';
import { ChangelogWriter } from '../../src/runtime/changelog-writer.js';
import { Chunk } from '../../src/runtime/restore/chunk.js';
import { SharedStorage } from '../../src/runtime/restore/shared-storage.js';
import type { EventTimes } from '../../src/runtime/stores/event-times.js';
import { TaskState } from '../../src/runtime/task-state.js';
import { openTaskStorage } from '../../src/runtime/task-storage.js';
import { serdeFor } from '../../src/serdes/formats.js';
import { LogBatch, type LogRecord } from '../../src/testing/partition-log.js';

const TOPIC = 'app-s-changelog';

export type Definition = Omit<StoreDefinition, 'name' | 'engine'>;

/** One store `s` of one task, with a changelog kept as a list: what a commit writes to it and a restore makes of it. */
export class StoreBench {
  readonly changelog: LogRecord[] = [];
  state!: TaskState;
  directory!: string;
  cacheBytes = 1_000_000;
  private engine: StoreEngine;
  private storage!: TaskStorage;
  private offset = 0;
  private writer!: ChangelogWriter;

  constructor(
    private readonly makeEngine: () => StoreEngine,
    private definition: Definition,
  ) {
    this.engine = makeEngine();
  }

  static async open(makeEngine: () => StoreEngine, definition: Definition, cacheBytes?: number): Promise<StoreBench> {
    const bench = new StoreBench(makeEngine, definition);
    if (cacheBytes !== undefined) bench.cacheBytes = cacheBytes;
    bench.directory = await mkdtemp(join(tmpdir(), 'kstreamd-store-'));
    await bench.openState();
    return bench;
  }

  get persistent(): boolean {
    return this.engine.persistent;
  }

  store<S extends StateStore>(times?: EventTimes): S {
    return this.state.store<S>('s', 'step', times);
  }

  /** What was put is uncommitted. */
  endBatch(): void {
    this.state.endBatch();
  }

  /** Writes the changelog, as a commit does; `time` is what records without their own get. */
  async commit(time = 0): Promise<void> {
    this.state.endBatch();
    await this.state.sweep();
    await this.writer.write(time);
    this.state.committed();
  }

  async flush(): Promise<void> {
    this.offset++;
    await this.state.flush([{ topic: 'in', partition: 0, offset: this.offset }]);
  }

  async commitAndFlush(time?: number): Promise<void> {
    await this.commit(time);
    await this.flush();
  }

  /** The same directory, after a stop or a crash: what was flushed is there. */
  async reopen(): Promise<void> {
    await this.state.close();
    await this.openState();
  }

  /** An empty engine, filled from the changelog; `compacted` leaves of each key the last record. */
  async restore({ compacted = false, portion = Number.POSITIVE_INFINITY }: { compacted?: boolean; portion?: number } = {}): Promise<void> {
    await this.state.close();
    await rm(this.directory, { recursive: true, force: true });
    this.directory = await mkdtemp(join(tmpdir(), 'kstreamd-store-'));
    this.engine = this.makeEngine();
    await this.openState();
    await this.replay(compacted ? compact(this.changelog) : this.changelog, portion);
  }

  /** Puts records of a changelog into the store, as a restore does, some at a time. */
  async replay(records: readonly LogRecord[], portion = Number.POSITIVE_INFINITY): Promise<void> {
    const [{ changelogs } = { changelogs: [] }] = this.state.restorable([{ store: 's', topic: TOPIC, partition: 0 }]);
    const rows = changelogs[0]?.rows;
    const shared = new SharedStorage(this.storage, true, this.persistent);
    for (let at = 0; at < records.length; at += portion) {
      const some = records.slice(at, at + portion);
      const chunk = new Chunk(rows?.everyRecord || shared.takesEveryRecord({ store: 's', rows }));
      chunk.add(new LogBatch(TOPIC, 0, some));
      await shared.write('s', chunk, { topic: TOPIC, partition: 0, offset: at + some.length }, rows);
    }
  }

  /** Keys that the engine holds, one character a byte. */
  async rows(): Promise<string[]> {
    const found: string[] = [];
    const scan = this.reader.scan({});
    for (let entries = await scan.next(); entries.length > 0; entries = await scan.next()) for (const [key] of entries) found.push(latin1Of(key));
    await scan.close();
    return found;
  }

  async close(): Promise<void> {
    await this.state.close();
    await rm(this.directory, { recursive: true, force: true });
  }

  private get reader(): StoreReader {
    return this.storage.store('s');
  }

  private async openState(): Promise<void> {
    const engine: StoreEngine = {
      persistent: this.engine.persistent,
      openTask: async (options) => {
        this.storage = await openTaskStorage(this.engine, options.stores, options.directory);
        return this.storage;
      },
    };
    this.state = await TaskState.open({
      application: 'app',
      directory: this.directory,
      stores: [{ ...this.definition, name: 's', engine: 'tested' }],
      engines: new Map([['tested', engine]]),
      serdeFor,
      cache: new CacheBudget(this.cacheBytes),
      logger: silentLogger,
    });
    const topic = { store: 's', topic: TOPIC, partitions: 1, input: 'in', topicId: undefined, deleteRetentionMs: 0, created: false };
    this.writer = new ChangelogWriter(this.state, [topic], 0, this.sink(), () => {});
  }

  private sink(): Sink {
    return {
      send: (outputs) => {
        for (let i = 0; i < outputs.length; i++) {
          const { key, value, timestamp } = outputs.recordAt(i);
          this.changelog.push({ offset: this.changelog.length, timestamp, key: copy(key), value: copy(value), headers: [] });
        }
        return new OutputBatch();
      },
      flush: async () => {},
      maxRecordBytes: 1_000_000,
      close: async () => {},
    };
  }
}

function copy(bytes: Buffer | null): Buffer | null {
  return bytes === null ? null : Buffer.from(bytes);
}

function compact(records: readonly LogRecord[]): LogRecord[] {
  const last = new Map(records.map((record) => [latin1Of(record.key as Buffer), record]));
  return records.filter((record) => last.get(latin1Of(record.key as Buffer)) === record);
}

export async function collect<T>(scan: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const entry of scan) found.push(entry);
  return found;
}
