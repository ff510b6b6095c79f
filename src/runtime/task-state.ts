import { ConfigError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import { inSequence, isPromise, type MaybePromise } from '../core/maybe.js';
import type { Serde } from '../core/serde.js';
import type { KeyValueStore, PrepareTaskDirectory, StoreDefinition, StoreEngine, TaskStorage } from '../core/store.js';
import type { PartitionOffset } from '../core/transport.js';
import type { CacheBudget } from './cache-budget.js';
import { OpenScans } from './open-scans.js';
import { type OpenStore, StoreView } from './store-view.js';
import { batchReader, lowestPositions, openTaskStorage } from './task-storage.js';
import { type StoreCounters, WriteBuffer } from './write-buffer.js';

export interface TaskStateOptions {
  /** The pipeline's name. */
  readonly application: string;
  /** The task's own directory. */
  readonly directory: string;
  readonly stores: readonly StoreDefinition[];
  /** By the name that stores give as their engine. */
  readonly engines: ReadonlyMap<string, StoreEngine>;
  readonly serdeFor: (format: string) => Serde<unknown> | undefined;
  /** Shared by all tasks of the process (S17). */
  readonly cache: CacheBudget;
  readonly logger: Logger;
  /** Makes the directory and checks what is in it; left out where nothing is kept on disk. */
  readonly prepareDirectory?: PrepareTaskDirectory | undefined;
}

/** The stores of one engine: one atomic write covers them. */
interface Group {
  readonly storage: TaskStorage;
  readonly persistent: boolean;
  readonly buffers: readonly WriteBuffer[];
}

/**
 * All stores of one task. Writes pass through three layers (B6): `endBatch` and `rollbackBatch` end the first,
 * `committed` and `abort` the second, `flush` the third. Nothing reaches a disk that was not committed (C4).
 */
export class TaskState {
  private flushing: Promise<void> | undefined;

  private constructor(
    private readonly groups: readonly Group[],
    private readonly stores: ReadonlyMap<string, OpenStore>,
    private readonly scans: OpenScans,
  ) {}

  /** Rejects with a ConfigError or StoreError; nothing stays open then. */
  static async open(options: TaskStateOptions): Promise<TaskState> {
    const engines = new Map(options.stores.map(({ engine }) => [engine, engineNamed(engine, options)]));
    await options.prepareDirectory?.({
      directory: options.directory,
      application: options.application,
      stores: options.stores,
      persistent: [...engines.values()].some(({ persistent }) => persistent),
    });
    const stores = new Map<string, OpenStore>();
    const groups: Group[] = [];
    try {
      for (const [name, engine] of engines) {
        const definitions = options.stores.filter((store) => store.engine === name);
        const storage = await openTaskStorage(
          engine,
          definitions.map((store) => store.name),
          options.directory,
        );
        const buffers: WriteBuffer[] = [];
        groups.push({ storage, persistent: engine.persistent, buffers });
        for (const definition of definitions) {
          const store = openStore(definition, storage, options);
          stores.set(definition.name, store);
          buffers.push(store.buffer);
        }
      }
    } catch (error) {
      for (const { storage } of groups) await storage.close();
      throw error;
    }
    return new TaskState(groups, stores, new OpenScans(options.logger));
  }

  /** The store as `step` sees it; the name is for reports of iterators left open. */
  store<K = unknown, V = unknown>(name: string, step?: string): KeyValueStore<K, V> {
    const store = this.stores.get(name);
    if (!store) throw new Error(`the task has no store named ${name}; it has ${[...this.stores.keys()].join(', ') || 'none'}`);
    return new StoreView<K, V>(store, this.scans, step);
  }

  /** The batch is done: its writes are kept until `committed` or `abort`. */
  endBatch(): void {
    this.scans.closeLeaked();
    for (const { buffer } of this.stores.values()) buffer.endBatch();
  }

  /** The batch failed: its writes are dropped (B6). */
  rollbackBatch(): void {
    this.scans.closeLeaked();
    for (const { buffer } of this.stores.values()) buffer.rollbackBatch();
  }

  /** Everything since the last `committed` is dropped (B6). */
  abort(): void {
    this.scans.closeLeaked();
    for (const { buffer } of this.stores.values()) buffer.abort();
  }

  /** The offsets behind the writes of all ended batches are committed: they may go to the engines. */
  committed(): void {
    for (const { buffer } of this.stores.values()) buffer.committed();
  }

  /**
   * Writes what is committed to the engines, with the positions up to which it was committed, in one atomic step per
   * engine (C4). Meanwhile the stores can be read and written; when it fails, the next flush writes the same again.
   */
  flush(positions: readonly PartitionOffset[]): MaybePromise<void> {
    if (this.flushing) {
      const again = () => this.flush(positions);
      return this.flushing.then(again, again);
    }
    let applied: MaybePromise<void>;
    try {
      const changes = this.groups.map(({ buffers }) => buffers.map((buffer) => ({ store: buffer.name, writes: buffer.takeWrites() })));
      applied = inSequence(this.groups.length, (i) => (this.groups[i] as Group).storage.apply(changes[i] ?? [], positions));
    } catch (error) {
      this.flushFailed();
      throw error;
    }
    if (!isPromise(applied)) return this.flushed();
    this.flushing = applied.then(
      () => this.flushed(),
      (error) => {
        this.flushFailed();
        throw error;
      },
    );
    return this.flushing;
  }

  /** Up to where the contents on disk go: the least position of each partition over the engines that outlive the process. */
  positions(): Promise<readonly PartitionOffset[]> {
    return lowestPositions(this.groups.filter(({ persistent }) => persistent).map(({ storage }) => storage));
  }

  /** Bytes of writes that the engines do not have yet: what an early flush would free. */
  get unflushedBytes(): number {
    let bytes = 0;
    for (const { buffer } of this.stores.values()) bytes += buffer.dirtyBytes;
    return bytes;
  }

  /** What each store did since the last call, by its name. */
  takeCounters(): ReadonlyMap<string, StoreCounters> {
    return new Map([...this.stores].map(([name, { buffer }]) => [name, buffer.takeCounters()]));
  }

  /** Waits for a flush that is under way; what was not flushed is dropped. */
  async close(): Promise<void> {
    await this.flushing?.catch(() => {});
    await this.scans.closeAll();
    for (const { buffer } of this.stores.values()) buffer.clear();
    for (const { storage } of this.groups) await storage.close();
  }

  private flushed(): void {
    this.flushing = undefined;
    for (const { buffer } of this.stores.values()) buffer.flushed();
  }

  private flushFailed(): void {
    this.flushing = undefined;
    for (const { buffer } of this.stores.values()) buffer.flushFailed();
  }
}

function engineNamed(name: string, { engines }: TaskStateOptions): StoreEngine {
  const engine = engines.get(name);
  if (engine) return engine;
  throw new ConfigError('store/unknown-engine', `there is no store engine ${name}`, { fix: `use one of ${[...engines.keys()].join(', ')}` });
}

function openStore(definition: StoreDefinition, storage: TaskStorage, { serdeFor, cache }: TaskStateOptions): OpenStore {
  const reader = batchReader(storage.store(definition.name));
  const format = (name: string): Serde<unknown> => {
    const serde = serdeFor(name);
    if (!serde) throw new ConfigError('format/unknown', `store ${definition.name} names the format ${name}, which does not exist`);
    return serde;
  };
  const key = format(definition.key);
  const value = format(definition.value);
  const numbers = value.checkNumber ? (value as Serde<number>) : undefined;
  return { buffer: new WriteBuffer(definition.name, reader, cache, numbers), reader, key, value };
}
