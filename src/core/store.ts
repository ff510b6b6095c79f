import type { MaybePromise } from './maybe.js';
import type { PartitionOffset } from './transport.js';

export interface RangeOptions {
  /** Descending order of the keys' bytes. */
  reverse?: boolean;
  /** At most so many entries. */
  limit?: number;
}

/**
 * Entries in the byte order of their serialized keys. A snapshot of the moment it was made. It closes itself
 * when it is exhausted, on `break`, and at the end of the batch at the latest (S1).
 */
export interface StoreIterator<K, V> extends AsyncIterableIterator<[K, V]> {
  /** Lets go of the snapshot; further reads end at once. Safe to call twice. */
  return(): Promise<IteratorResult<[K, V]>>;
}

/**
 * A task's key-value store as a processor sees it (S1). Writes are visible to reads at once and durable with
 * the commit. A null or undefined key throws a TypeError; null as a value deletes.
 */
export interface KeyValueStore<K = unknown, V = unknown> {
  readonly name: string;
  get(key: K): V | null;
  /** `timestamp`: the event time that a `ttl` counts from; that of the record being processed unless told (S9). */
  put(key: K, value: V | null, timestamp?: number): void;
  /** Writes only when the key is absent; returns what was there before, null when it wrote. */
  putIfAbsent(key: K, value: V, timestamp?: number): V | null;
  /** Returns what was there. */
  delete(key: K): V | null;
  /** One value a key, in the keys' order; null where absent. A promise when cold keys have to be fetched. */
  getBatch(keys: readonly K[]): MaybePromise<(V | null)[]>;
  /** Writes in order; null deletes; the last write of a key wins. A third element is the event time, as for `put`. */
  setBatch(entries: readonly (readonly [K, V | null, number?])[]): void;
  deleteBatch(keys: readonly K[]): void;
  /** From and to are inclusive; undefined leaves that end open. */
  range(from?: K, to?: K, options?: RangeOptions): StoreIterator<K, V>;
  /** Keys whose serialized bytes start with those of `prefix`. */
  prefixScan(prefix: K, options?: RangeOptions): StoreIterator<K, V>;
  all(options?: RangeOptions): StoreIterator<K, V>;
  /**
   * About how many entries there are, what was not committed included. Exact for the `memory` engine and for small stores; else
   * LevelDB tells from the sizes of its files, which know overwritten and deleted entries for a while, and not yet the few
   * megabytes that were written last. With a `ttl`, entries count until they are removed.
   */
  approximateCount(): MaybePromise<number>;
}

/** One write on its way to a backend; null deletes. */
export interface StoreWrite {
  readonly key: Buffer;
  readonly value: Buffer | null;
}

/** Bounds of a scan over serialized keys; both inclusive unless said otherwise. */
export interface ByteRange extends RangeOptions {
  readonly gte?: Buffer | undefined;
  readonly lte?: Buffer | undefined;
  /** Exclusive upper bound, for prefix scans. */
  readonly lt?: Buffer | undefined;
}

/** The keys that a scan without a limit would give. */
export type KeySpan = Pick<ByteRange, 'gte' | 'lte' | 'lt'>;

/** A snapshot scan. */
export interface ByteIterator {
  /** The next entries in order, at least one while any is left; an empty array at the end. The caller has no use for more than `wanted` now. */
  next(wanted?: number): MaybePromise<[Buffer, Buffer][]>;
  close(): MaybePromise<void>;
}

/** What is read of one store of one task. */
export interface StoreReader {
  /** `get` throws: the engine answers only with promises (R2). */
  readonly asynchronous?: boolean | undefined;
  /** null when absent; empty bytes are a value. */
  get(key: Buffer): Buffer | null;
  getMany?(keys: readonly Buffer[]): MaybePromise<(Buffer | null)[]>;
  /** Byte order of the keys. */
  scan(range: ByteRange): ByteIterator;
  /** About how many keys there are in the range, for less than a scan costs; else they are scanned. */
  count?(range: KeySpan): MaybePromise<number>;
}

/**
 * Where the bytes of one store of one task live. What an engine must do is small; what it can do in batches is
 * optional, looked up once, and otherwise done by a get/put loop (B7). `test/conformance/stores.ts` says
 * what any engine must keep.
 */
export interface StoreBackend extends StoreReader {
  /** Applies all writes and records the positions in one atomic step (C4). */
  apply?(writes: readonly StoreWrite[], positions: readonly StoredPosition[]): MaybePromise<void>;
  /** Needed when there is no `apply`. */
  put?(key: Buffer, value: Buffer): void;
  delete?(key: Buffer): void;
  /** The last position of each partition given to `apply`; empty for an engine that does not keep any. */
  positions?(): MaybePromise<readonly StoredPosition[]>;
  /** Removes every entry and forgets the positions, these first. Needed where there is `positions`; else done by deleting key by key. */
  clear?(): MaybePromise<void>;
  /**
   * Takes the place of plain writes while the store is restored, as Kafka Streams' BatchingStateRestoreCallback does: every record
   * of the changelog, some at a time, in their order. Some come again after a crash, and then those that followed them.
   */
  restoreBatch?(records: readonly RestoredRecord[]): MaybePromise<void>;
  /** The same record by record (StateRestoreCallback); not called where there is `restoreBatch`. */
  restore?(key: Buffer, value: Buffer | null, timestamp: number | undefined): MaybePromise<void>;
  close(): MaybePromise<void>;
}

/** What a restore puts into a store; a null value deletes. */
export interface RestoredRecord extends StoreWrite {
  /**
   * Of the changelog's record, in epoch milliseconds. Undefined where the entry is made from such records and not one of them, as
   * in timestamped, versioned, window and session stores, and with a `ttl`.
   */
  readonly timestamp: number | undefined;
}

/** The backend of an engine that answers with promises; otherwise as any. */
export interface AsyncStoreBackend extends Omit<StoreBackend, 'get' | 'put' | 'delete'> {
  get(key: Buffer): MaybePromise<Buffer | null>;
  put?(key: Buffer, value: Buffer): MaybePromise<void>;
  delete?(key: Buffer): MaybePromise<void>;
}

/** How far the stores of a task are: the next offset to process of an input, or to restore of a changelog. */
export interface StoredPosition extends PartitionOffset {
  /** Partition time of an input (T5); for a changelog, the wall time at which the offset was the log's end (S4). Epoch milliseconds. */
  readonly time?: number | undefined;
  /** Of a changelog: the topic that the offset belongs to (S4). */
  readonly topicId?: string | undefined;
}

/** A write whose key is one latin1 character a byte, which is how stores know their keys. */
export interface NamedWrite {
  readonly name: string;
  readonly value: Buffer | null;
}

/** Writes of one store of a task, each key at most once. */
export interface StoreWrites {
  readonly store: string;
  readonly writes: readonly NamedWrite[];
}

/** All stores that a task keeps in one engine: they are opened, written and closed together. */
export interface TaskStorage {
  /** One of the stores this was opened with. */
  store(name: string): StoreReader;
  /** Applies the writes of all stores and records the positions in one atomic step (C4). */
  apply(changes: readonly StoreWrites[], positions: readonly StoredPosition[]): MaybePromise<void>;
  /** Removes a store's keys in [gte, lt) without holding up other work for long; else done portion by portion with `apply`. */
  deleteRange?(store: string, gte: Buffer, lt: Buffer): MaybePromise<void>;
  /** The last position of each partition given to `apply`. */
  positions(): MaybePromise<readonly StoredPosition[]>;
  /** The same as one store has them, where stores may stand apart after a crash; left out where one write covers all. */
  positionsOf?(store: string): MaybePromise<readonly StoredPosition[]>;
  /** Empties the stores and forgets the positions, so that they can be filled anew. */
  clear(): MaybePromise<void>;
  /** What takes the records of a store's changelog in the place of `apply`; undefined where nothing does. */
  restorer?(store: string): ((records: readonly RestoredRecord[]) => MaybePromise<void>) | undefined;
  /** Its files can be copied while it is in use, and replaced (S13). */
  readonly files?: StorageFiles | undefined;
  close(): MaybePromise<void>;
}

/** A file of a checkpoint. Names are those of the engine: letters, digits, dots and dashes. */
export interface CheckpointFile {
  readonly name: string;
  readonly path: string;
  readonly size: number;
  /** Equal only for files with equal bytes, also of later checkpoints of this process; left out where bytes may change. */
  readonly identity?: string | undefined;
}

/** The files of a TaskStorage that keeps all of it in some. */
export interface StorageFiles {
  /**
   * Makes in `directory`, which exists and is empty, files of what was written up to some moment during the call: whole
   * writes with their positions, none left out before the last. Costs no copy of what never changes. Rejects with a
   * StoreCorruptedError where what is on disk is damaged, and when the storage is closed meanwhile.
   */
  checkpoint(directory: string): Promise<CheckpointFile[]>;
  /**
   * Replaces everything by such files, which are moved; readers and iterators must be at rest. Checks every byte before, and asks
   * `refusal` about the positions in them. Resolves with why nothing was changed; undefined when it was.
   */
  adopt(directory: string, refusal: (positions: readonly StoredPosition[]) => string | undefined): Promise<string | undefined>;
}

interface EngineTraits {
  /** Whether contents outlive the process. */
  readonly persistent: boolean;
}

/** An engine that keeps every store for itself: the least a plugin has to write. */
export interface SingleStoreEngine extends EngineTraits {
  readonly asynchronous?: false | undefined;
  /** `directory` is the task's own and exists when the engine is persistent. */
  open(options: { store: string; directory: string }): MaybePromise<StoreBackend>;
}

/** An engine that keeps a task's stores in one place, so that one write covers them all (S14). */
export interface TaskStoreEngine extends EngineTraits {
  openTask(options: { stores: readonly string[]; directory: string }): MaybePromise<TaskStorage>;
}

/**
 * An engine that cannot answer at once, such as one over a network. Its stores are key-value or timestamped ones without a `ttl`,
 * and open only to steps that declare `async` (R2): these use `getBatch`, which gives a promise then, and iterators.
 */
export interface AsyncStoreEngine extends EngineTraits {
  readonly asynchronous: true;
  open(options: { store: string; directory: string }): MaybePromise<AsyncStoreBackend>;
}

/** Opens the stores of a task: `leveldb`, `memory`, or a plugin module's export. */
export type StoreEngine = SingleStoreEngine | AsyncStoreEngine | TaskStoreEngine;

export type StoreType = 'key-value' | 'timestamped' | 'versioned' | 'window' | 'session';

/** What a store is, as the topology knows it. Times are in milliseconds. */
export interface StoreDefinition {
  readonly name: string;
  readonly type: StoreType;
  /** Of a key-value store: how long an entry lives, in event time (S9). */
  readonly ttlMs?: number | undefined;
  /** Of a versioned store: how far back versions are kept, and late writes taken (S7). */
  readonly historyMs?: number | undefined;
  /** Of a window or session store (S8). */
  readonly retentionMs?: number | undefined;
  /** Of a window store: what the end of a window is told by. */
  readonly windowSizeMs?: number | undefined;
  /** Of a window store: values are a ValueAndTimestamp each, the time in the changelog's record (S3). */
  readonly timestamped?: boolean | undefined;
  /** Of a window store: equal keys of one window are kept beside each other; null values are ignored. */
  readonly retainDuplicates?: boolean | undefined;
  /** `leveldb`, `memory`, or the name under which a plugin's engine was registered. */
  readonly engine: string;
  /** Format names. */
  readonly key: string;
  readonly value: string;
  /** Left out where the store has none: `changelog: false`. */
  readonly changelog?: ChangelogDefinition | undefined;
  /**
   * Of a key-value store: rows whose keys begin with this byte, one character, are not in the changelog. Who writes them makes them
   * anew from the others, because after a restore they are missing, or older than those.
   */
  readonly unlogged?: string | undefined;
  /** How many other instances follow the changelog (S10); none unless told. */
  readonly standby?: number | undefined;
  /** Only the table's own node writes it, from the topic that serves as its changelog: nothing is written to that (S5). */
  readonly table?: boolean | undefined;
}

/** A table that every instance holds whole: all partitions of its topic, read to their ends before processing starts (S6). */
export interface GlobalTableDefinition {
  readonly name: string;
  readonly topic: string;
  /** As a StoreDefinition's. */
  readonly engine: string;
  /** Format names; the bytes are those of the topic. */
  readonly key: string;
  readonly value: string;
}

/** The topic that carries a store's writes (S3). */
export interface ChangelogDefinition {
  readonly topic: string;
  /** Of the topic when it is created, by Kafka's names. */
  readonly config: Readonly<Record<string, string>>;
}

/** A task's directory as it is about to be used. */
export interface TaskDirectory {
  readonly directory: string;
  /** The pipeline's name. */
  readonly application: string;
  readonly stores: readonly StoreDefinition[];
  /** Whether any of the stores outlives the process. */
  readonly persistent: boolean;
  /** Where another process has the directory, it is given up at once: for a copy, which another directory beside it would not help (S10). */
  readonly onlyHere?: boolean | undefined;
}

/**
 * Makes the directory and checks that what is in it belongs to these stores; rejects with a ConfigError otherwise (S14). Resolves
 * to the stores that were something else of which their changelogs can make what they are now (S15): the directory goes on
 * saying what they were.
 */
export type PrepareTaskDirectory = (task: TaskDirectory) => Promise<readonly string[]>;

/** Stores whose rows are those of an earlier definition: to be given up, so that they are built anew from their changelogs (S15). */
export interface OutdatedStores {
  readonly stores: readonly string[];
  /** To be called when that is on disk: from then on the directory says what the stores are now. */
  givenUp(): Promise<void>;
}

/** A task's directory while the task is open: no other process uses it. */
export interface HeldTaskDirectory {
  /** Where the task's state is: the directory asked for, or one of this instance's own when that one is in use (S10). */
  readonly directory: string;
  readonly outdated?: OutdatedStores | undefined;
  /** Bytes of the files of its database, without reading them; 0 where nothing is kept on disk. */
  bytes(): Promise<number>;
  /** To be called when its databases are closed. `clean` is false when a write failed: what is there is checked before its next use (E4). */
  release(clean: boolean): Promise<void>;
  /**
   * Its contents cannot be trusted (E4): sets the directory aside and gives it up, or rejects with a StoreCorruptedError that
   * says what can be done where a store has no changelog. To be called when its databases are closed; the directory
   * may then be held again, empty.
   */
  recover(problem: string): Promise<void>;
}

/** Like PrepareTaskDirectory, and keeps other processes out of it (S10) and damaged files from being used (E4). */
export type HoldTaskDirectory = (task: TaskDirectory) => Promise<HeldTaskDirectory>;
