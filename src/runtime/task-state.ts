import { setImmediate as nextTurn } from 'node:timers/promises';
import { messageOf, StoreCorruptedError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import { inSequence, isPromise, type MaybePromise } from '../core/maybe.js';
import type { Serde } from '../core/serde.js';
import type { HeldTaskDirectory, HoldTaskDirectory, KeyValueStore, StorageFiles, StoredPosition, TaskStorage } from '../core/store.js';
import type { StateStore } from '../core/store-types.js';
import { OpenScans } from './open-scans.js';
import { CommittedViews } from './queries/committed-views.js';
import type { Changelog } from './restore/changelog-copy.js';
import type { RestoredStorage } from './restore/task-stores.js';
import type { StoreCounters } from './store-counters.js';
import { engineNamed, openGroups, type StoreGroup, type StoreGroupOptions } from './store-groups.js';
import type { EventTimes } from './stores/event-times.js';
import { deleteExpired } from './stores/expired-rows.js';
import type { ChangeVisitor, OpenStore } from './stores/store-kind.js';
import { lowestPositions } from './task-storage.js';
import type { WriteBuffer } from './write-buffer.js';

export interface TaskStateOptions extends StoreGroupOptions {
  /** The pipeline's name. */
  readonly application: string;
  /** The task's own directory. */
  readonly directory: string;
  /** Locks and checks the directory; left out where nothing is kept on disk. */
  readonly holdDirectory?: HoldTaskDirectory | undefined;
  /** Rejects with `store/locked` at once where another process has the directory: for a copy (S10). */
  readonly onlyHere?: boolean | undefined;
}

/** Entries that a flush has written and that become clean in one turn. */
const SETTLED_AT_ONCE = 5000;

/** A store as `/status` shows it. */
export interface StoreSummary {
  readonly name: string;
  readonly engine: string;
  /** Its changelog's topic. */
  readonly changelog: string | undefined;
  readonly bufferedBytes: number;
}

/** Stores that one engine keeps in files. */
export interface TaskFiles extends StorageFiles, Pick<TaskStorage, 'positions'> {
  readonly stores: readonly string[];
}

/**
 * All stores of one task. Writes pass through three layers (B6): `endBatch` and `rollbackBatch` end the first,
 * `committed` and `abort` the second, `flush` the third. Nothing reaches a disk that was not committed (C4).
 */
export class TaskState {
  /** For readers beside the task. */
  readonly committedViews: CommittedViews;
  private flushing: Promise<void> | undefined;
  private expiring: Promise<void> | undefined;
  /** A flush has come meanwhile. */
  private expireAgain = false;
  private closing = false;
  /** The engine's files are being replaced. */
  private replacing = false;
  /** Why nothing more is written to the disk, and `close` sets aside what is there (E4). */
  private condemned: string | undefined;
  /** A flush failed: what the engine then did to its files has to be checked (E4). */
  private damaged = false;

  private constructor(
    private readonly groups: readonly StoreGroup[],
    private readonly stores: ReadonlyMap<string, OpenStore>,
    private readonly scans: OpenScans,
    private readonly logger: Logger,
    private readonly held: HeldTaskDirectory | undefined,
  ) {
    this.committedViews = new CommittedViews(
      stores,
      groups.flatMap(({ definitions }) => definitions),
      logger,
    );
  }

  /** Rejects with a ConfigError or StoreError; nothing stays open then. Damaged state is set aside where changelogs can restore it (E4). */
  static async open(options: TaskStateOptions): Promise<TaskState> {
    const engines = new Map(options.stores.map(({ engine }) => [engine, engineNamed(engine, options)]));
    const held = await options.holdDirectory?.({
      directory: options.directory,
      application: options.application,
      stores: options.stores,
      persistent: [...engines.values()].some(({ persistent }) => persistent),
      onlyHere: options.onlyHere,
    });
    try {
      const { groups, stores } = await openGroups(engines, held, options);
      return new TaskState(groups, stores, new OpenScans(options.logger), options.logger, held);
    } catch (error) {
      if (!(error instanceof StoreCorruptedError) || held === undefined) {
        await held?.release(false);
        throw error;
      }
      await held.recover(error.message);
      return TaskState.open(options);
    }
  }

  /** Where the stores are; another than the one asked for while that is in use elsewhere (S10). */
  get directory(): string | undefined {
    return this.held?.directory;
  }

  /** Bytes of the database on disk; 0 where nothing is kept there. */
  async bytesOnDisk(): Promise<number> {
    return (await this.held?.bytes()) ?? 0;
  }

  /** What the stores are, and how much of each waits in memory for a flush, in bytes. */
  get summary(): readonly StoreSummary[] {
    return this.groups.flatMap(({ buffers, definitions }) =>
      definitions.map(({ name, engine, changelog }, i) => ({
        name,
        engine,
        changelog: changelog?.topic,
        bufferedBytes: (buffers[i] as WriteBuffer).dirtyBytes,
      })),
    );
  }

  /** A write beside `flush` failed: what is on disk is checked before its next use (E4). */
  distrust(): void {
    this.damaged = true;
  }

  /** What is on disk cannot be trusted (E4): nothing more is flushed, and `close` sets it aside, or rejects where a store has no changelog. */
  condemn(problem: string): void {
    this.condemned ??= problem;
  }

  /** The store as `step` sees it, as its type has it; the name is for reports of iterators left open, `times` for stores that go by event time. */
  store<S extends StateStore = KeyValueStore>(name: string, step?: string, times?: EventTimes): S;
  store<K = unknown, V = unknown>(name: string, step?: string, times?: EventTimes): KeyValueStore<K, V>;
  store(name: string, step?: string, times?: EventTimes): StateStore {
    const store = this.stores.get(name);
    if (!store) throw new Error(`the task has no store named ${name}; it has ${[...this.stores.keys()].join(', ') || 'none'}`);
    return this.viewOf(store, step, times);
  }

  /** A store that is not the task's own, such as a global table, as `step` sees it: its iterators end with the batch as those of others do (S1). */
  viewOf(store: Pick<OpenStore, 'view'>, step?: string, times?: EventTimes): StateStore {
    return store.view({ scans: this.scans, step, times });
  }

  /** The layer of bytes of a store, for who writes it beside all tasks. */
  bytesOf(name: string): Pick<OpenStore, 'buffer' | 'reader'> {
    const store = this.stores.get(name);
    if (!store) throw new Error(`there is no store named ${name}`);
    return store;
  }

  /** False from when it is closed, or found damaged: nothing may be read from beside the task any more. */
  get readable(): boolean {
    return !this.closing && !this.replacing && this.condemned === undefined;
  }

  /** The batch is done: its writes are kept until `committed` or `abort`. */
  endBatch(): void {
    this.scans.closeLeaked();
    this.endOfBatch();
  }

  /** The batch failed: its writes are dropped (B6). */
  rollbackBatch(): void {
    this.scans.closeLeaked();
    for (const store of this.stores.values()) {
      store.buffer.rollbackBatch();
      store.rolledBack?.();
    }
  }

  /** Everything since the last `committed` is dropped (B6). */
  abort(): void {
    this.scans.closeLeaked();
    for (const store of this.stores.values()) {
      store.buffer.abort();
      store.aborted?.();
    }
  }

  /** Deletes what has expired, as part of the next commit (S9). Between two batches only. */
  async sweep(): Promise<void> {
    let written = false;
    for (const store of this.stores.values()) written = ((await store.sweep?.(this.scans)) ?? false) || written;
    if (written) this.endOfBatch();
  }

  /** The offsets behind the writes of all ended batches are committed: they may go to the engines. */
  committed(): void {
    for (const store of this.stores.values()) {
      store.buffer.committed();
      store.committed?.();
    }
  }

  /**
   * Writes what is committed to the engines, with the positions up to which it was committed, in one atomic step per
   * engine (C4). Meanwhile the stores can be read and written; when it fails, the next flush writes the same again.
   */
  flush(positions: readonly StoredPosition[]): MaybePromise<void> {
    if (this.condemned !== undefined) return;
    if (this.flushing) {
      const again = () => this.flush(positions);
      return this.flushing.then(again, again);
    }
    let applied: MaybePromise<void>;
    try {
      const changes = this.groups.map(({ buffers }) => buffers.map((buffer) => ({ store: buffer.name, writes: buffer.takeWrites() })));
      applied = inSequence(this.groups.length, (i) => (this.groups[i] as StoreGroup).storage.apply(changes[i] ?? [], positions));
    } catch (error) {
      this.flushFailed();
      throw error;
    }
    if (!isPromise(applied)) return this.flushed();
    this.flushing = applied.then(
      () => this.settled(),
      (error) => {
        this.flushFailed();
        throw error;
      },
    );
    return this.flushing;
  }

  /** Up to where the contents on disk go: the least position of each partition over the engines that outlive the process. */
  positions(): Promise<readonly StoredPosition[]> {
    return lowestPositions(this.groups.filter(({ persistent }) => persistent).map(({ storage }) => storage));
  }

  /** What a restore fills: each engine's storage, with the changelogs of the stores in it, of the task's own partition. */
  restorable(changelogs: readonly Changelog[]): RestoredStorage[] {
    const byStore = new Map(changelogs.map((changelog) => [changelog.store, changelog]));
    return this.groups.flatMap(({ storage, persistent, definitions }) => {
      const own = definitions.flatMap(({ name }) => {
        const changelog = byStore.get(name);
        return changelog === undefined ? [] : [{ ...changelog, rows: this.stores.get(name)?.rowsOfChangelog }];
      });
      return own.length === 0 ? [] : [{ storage, persistent, changelogs: own, others: own.length < definitions.length }];
    });
  }

  /** What a snapshot of the task can hold; undefined where no engine keeps files of its own (S13). */
  get files(): TaskFiles | undefined {
    for (const { storage, persistent, definitions } of this.groups) {
      const { files } = storage;
      if (!persistent || files === undefined) continue;
      return {
        stores: definitions.map(({ name }) => name),
        positions: () => storage.positions(),
        checkpoint: (directory) => files.checkpoint(directory),
        adopt: (directory, refusal) => this.whileUnreadable(() => files.adopt(directory, refusal)),
      };
    }
    return undefined;
  }

  /** Something was written since the last `committed`. */
  get uncommitted(): boolean {
    for (const { buffer } of this.stores.values()) if (buffer.hasUncommitted) return true;
    return false;
  }

  /** Committed writes wait for a flush. */
  get unflushed(): boolean {
    if (this.condemned !== undefined) return false;
    for (const { buffer } of this.stores.values()) if (buffer.hasUnflushed) return true;
    return false;
  }

  /** The records of one store's changelog that the next commit adds (S3). */
  eachChange(store: string, visit: ChangeVisitor, atomic = false): void {
    this.stores.get(store)?.eachChange(visit, atomic);
  }

  /** The format of the numbers that `eachChange` gives. */
  changelogValue(store: string): Serde<unknown> {
    return (this.stores.get(store) as OpenStore).changelogValue;
  }

  /** Bytes of writes that the engines do not have yet: what an early flush would free. */
  get unflushedBytes(): number {
    if (this.condemned !== undefined) return 0;
    let bytes = 0;
    for (const { buffer, waitingBytes = 0 } of this.stores.values()) bytes += buffer.dirtyBytes + waitingBytes;
    return bytes;
  }

  /** Bytes of the clean entries of all stores that share its cache, those of other tasks included (S17). */
  get cacheBytes(): number {
    for (const { buffer } of this.stores.values()) return buffer.cacheBytes;
    return 0;
  }

  /** What each store did since the last call, by its name. */
  takeCounters(): ReadonlyMap<string, StoreCounters> {
    return new Map([...this.stores].map(([name, store]) => [name, { ...store.buffer.takeCounters(), dropped: store.takeDropped?.() ?? 0 }]));
  }

  /** Waits for a flush that is under way; what was not flushed is dropped. */
  async close(): Promise<void> {
    await this.flushing?.catch(() => {});
    this.closing = true;
    await this.expiring;
    await this.scans.closeAll();
    await this.committedViews.cutShort();
    for (const { buffer } of this.stores.values()) buffer.clear();
    try {
      for (const { storage } of this.groups) await storage.close();
    } finally {
      if (this.condemned === undefined) await this.held?.release(!this.damaged);
      else await this.held?.recover(this.condemned);
    }
  }

  /** What is written becomes clean in portions, so that other work waits for none of them long. */
  private async settled(): Promise<void> {
    for (const { buffer } of this.stores.values()) while (!buffer.flushed(SETTLED_AT_ONCE)) await nextTurn();
    this.flushed();
  }

  private flushed(): void {
    this.flushing = undefined;
    for (const { buffer } of this.stores.values()) buffer.flushed();
    this.expireSoon();
  }

  private async whileUnreadable<T>(work: () => Promise<T>): Promise<T> {
    this.replacing = true;
    try {
      await this.committedViews.cutShort();
      return await work();
    } finally {
      this.replacing = false;
    }
  }

  /** What a flush makes expire while rows are being removed has its turn behind them: there may be no flush after it (S8). */
  private expireSoon(): void {
    if (this.expiring !== undefined) {
      this.expireAgain = true;
      return;
    }
    this.expireAgain = false;
    this.expiring = this.expire().finally(() => {
      this.expiring = undefined;
      if (this.expireAgain && !this.closing) this.expireSoon();
    });
  }

  /** Removes rows that nobody sees any more, beside all other work (S8). */
  private async expire(): Promise<void> {
    try {
      for (const { storage, definitions } of this.groups) {
        for (const { name } of definitions) {
          const range = this.stores.get(name)?.takeExpired?.();
          if (range !== undefined) await deleteExpired(storage, name, range, () => this.closing);
        }
      }
    } catch (error) {
      this.damaged = true;
      this.logger.warn({ err: messageOf(error) }, 'expired entries could not be removed');
    }
  }

  private endOfBatch(): void {
    for (const store of this.stores.values()) {
      store.endBatch?.();
      store.buffer.endBatch();
    }
  }

  private flushFailed(): void {
    this.flushing = undefined;
    this.damaged = true;
    for (const { buffer } of this.stores.values()) buffer.flushFailed();
  }
}
