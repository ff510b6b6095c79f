import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../core/clock.js';
import { KstreamdError, messageOf, StoreCorruptedError } from '../../core/errors.js';
import { fulfilledWithin } from '../../core/fulfilled-within.js';
import type { Logger } from '../../core/logger.js';
import type { Metrics } from '../../core/metrics.js';
import { SnapshotError, type SnapshotStore, type SnapshotSubject } from '../../core/snapshots.js';
import type { CheckpointFile, StoredPosition } from '../../core/store.js';
import type { OwnedTask } from '../commit.js';
import { taskName } from '../standby/task-name.js';
import type { TaskFiles } from '../task-state.js';
import { SnapshotMetrics } from './snapshot-metrics.js';
import { SnapshotRestore, type SnapshotRestoreOptions } from './snapshot-restore.js';
import { offsetIn, type SnapshotStatus, TaskSnapshots } from './task-snapshots.js';

export interface SnapshotsOptions {
  readonly store: SnapshotStore;
  /** A folder of this process alone, on the file system of the state, which need not exist. */
  readonly scratch: string;
  /** Time between two snapshots of a task, in milliseconds. */
  readonly everyMs: number;
  /** The files of a running task were found damaged (E4). */
  readonly damaged: (directory: string, problem: string) => void;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** A task with fewer offsets to restore does not look for a snapshot; 10,000 unless told. */
  readonly leastRemaining?: number | undefined;
  /** How often it is looked for tasks that are due, in milliseconds; a second unless told. */
  readonly lookMs?: number | undefined;
}

/** A task, with what its snapshots are known by. */
type Snapshotted = OwnedTask & { readonly snapshots: SnapshotSubject };

/** What a snapshot is made of, until it is stored. */
interface Taken {
  readonly record: TaskSnapshots;
  readonly directory: string;
  readonly files: readonly CheckpointFile[];
  readonly positions: readonly StoredPosition[];
  readonly createdAt: number;
}

const LEAST_REMAINING = 10_000;
const LOOK_MS = 1_000;
/** After a failure everything waits, twice as long each time, at most as long as between two snapshots. */
const FIRST_RETRY_MS = 10_000;
/** How long a clean stop waits for the copies of its tasks' files. */
const LAST_COPIES_MS = 5_000;

/**
 * Snapshots of the tasks that a process runs (S13): taken every so often, one task at a time and beside all other work, and
 * at clean stops. A failure is told and tried again later; nothing waits for it.
 */
export class Snapshots {
  private tasks: () => readonly OwnedTask[] = () => [];
  private readonly records = new Map<string, TaskSnapshots>();
  private readonly metrics: SnapshotMetrics;
  private readonly ending = new AbortController();
  private readonly warned = new Set<string>();
  private timer: NodeJS.Timeout | undefined;
  private checking: Promise<void> | undefined;
  private busy: Promise<void> | undefined;
  private readonly last: Taken[] = [];
  /** Of the tasks that were here when it was last looked. */
  private present: ReadonlySet<TaskSnapshots> = new Set();
  private closing: Promise<void> | undefined;
  private pausedUntil = 0;
  private retryMs = 0;
  private directories = 0;

  constructor(private readonly options: SnapshotsOptions) {
    this.metrics = new SnapshotMetrics(options.metrics);
  }

  /** From now on snapshots are taken of these tasks, those that have something to be known by. */
  follow(tasks: () => readonly OwnedTask[]): void {
    this.tasks = tasks;
    this.checking ??= this.check();
    this.timer ??= setInterval(() => this.look(), this.options.lookMs ?? LOOK_MS).unref();
  }

  /**
   * What snapshots of a task are known by; undefined where none can be kept: no engine of it has files, or one of its stores
   * has no changelog, so that an older copy could not be brought up to what is committed (C4).
   */
  subjectOf(task: Omit<SnapshotSubject, 'stores'>, files: TaskFiles | undefined, localOnly: boolean): SnapshotSubject | undefined {
    if (files === undefined) return undefined;
    if (!localOnly) return { ...task, stores: files.stores };
    if (!this.warned.has(task.folder)) {
      this.warned.add(task.folder);
      this.options.logger.warn(
        { folder: task.folder },
        'no snapshots are kept of these tasks: one of their stores has no changelog to bring a snapshot up to date',
      );
    }
    return undefined;
  }

  /** What restores a task that is being opened, from a snapshot where there is a good one. */
  restoreOf(task: Omit<SnapshotRestoreOptions, 'store' | 'directory' | 'leastRemaining' | 'metrics' | 'clock'>): SnapshotRestore {
    const { store, clock, leastRemaining = LEAST_REMAINING } = this.options;
    return new SnapshotRestore({ ...task, store, clock, leastRemaining, metrics: this.metrics, directory: this.newDirectory('restore') });
  }

  /** The last snapshot of a task, and whether there is trouble; undefined where none are taken. */
  statusOf({ snapshots }: Pick<OwnedTask, 'snapshots'>): SnapshotStatus | undefined {
    return snapshots && this.records.get(taskName(snapshots.folder, snapshots.partition))?.status;
  }

  /** The process stops in order, and all is flushed: copies what has changed, for `close` to store. Does not reject. */
  async takeLast(): Promise<void> {
    const copying = this.followed().map(async (owned) => {
      const taken = await this.copy(owned);
      if (taken) this.last.push(taken);
    });
    const inTime = await fulfilledWithin(LAST_COPIES_MS, Promise.allSettled(copying));
    if (!inTime) this.options.logger.warn({}, 'the files of some tasks could not be copied in time for a last snapshot');
  }

  /** Stores what is left within so many milliseconds; gives up then. Does not reject. May be called again. */
  close(withinMs: number): Promise<void> {
    this.closing ??= this.end(withinMs);
    return this.closing;
  }

  private async end(withinMs: number): Promise<void> {
    clearInterval(this.timer);
    this.tasks = () => [];
    const { logger, scratch, store } = this.options;
    const left = this.busy !== undefined || this.last.length > 0;
    const rest = (async () => {
      await this.busy;
      for (const taken of this.last.splice(0)) await this.store(taken);
    })();
    const inTime = withinMs > 0 && (await fulfilledWithin(withinMs, rest));
    if (left && !inTime) logger.warn({ withinMs }, 'the last snapshots could not be stored in time: the ones before them count');
    this.ending.abort();
    await rest;
    await this.checking;
    await rm(scratch, { recursive: true, force: true }).catch(() => {});
    store.close();
  }

  private async check(): Promise<void> {
    const { store, logger, everyMs } = this.options;
    try {
      await store.check(this.ending.signal);
      logger.info({ snapshots: store.name, everyMs }, 'snapshots of state are kept');
    } catch (error) {
      if (!this.ending.signal.aborted) this.failed(error);
    }
  }

  private followed(): Snapshotted[] {
    return this.tasks().filter((owned): owned is Snapshotted => owned.snapshots !== undefined);
  }

  private look(): void {
    const now = this.options.clock.now();
    const followed = this.followed();
    let next: Snapshotted | undefined;
    let oldest: number | undefined;
    const present = new Set<TaskSnapshots>();
    for (const owned of followed) {
      const record = this.recordOf(owned);
      present.add(record);
      if (!this.present.has(record)) record.cameHere(now);
      oldest = Math.min(oldest ?? now, record.current);
      if (record.dueAt <= now && (next === undefined || record.dueAt < this.recordOf(next).dueAt)) next = owned;
    }
    this.present = present;
    this.metrics.age(oldest === undefined ? undefined : Math.max(0, now - oldest) / 1000);
    if (next === undefined || this.busy !== undefined || now < this.pausedUntil) return;
    this.busy = this.take(next).finally(() => {
      this.busy = undefined;
    });
  }

  private async take(owned: Snapshotted): Promise<void> {
    const taken = await this.copy(owned);
    if (taken) await this.store(taken);
  }

  /** Copies a task's files; undefined when there is nothing new, or the task was closed meanwhile. Does not reject. */
  private async copy(owned: Snapshotted): Promise<Taken | undefined> {
    const { clock } = this.options;
    const record = this.recordOf(owned);
    const { files } = owned.task.state;
    if (files === undefined) return undefined;
    const directory = this.newDirectory('taken');
    try {
      const createdAt = clock.now();
      // Asked before the copy is made: it goes at least so far.
      const positions = await files.positions();
      if (!owned.task.changelogs.every((changelog) => offsetIn(positions, changelog) !== undefined)) return record.nothingYet(createdAt);
      if (record.unchanged(positions, createdAt)) return undefined;
      await mkdir(directory, { recursive: true });
      return { record, directory, files: await files.checkpoint(directory), positions, createdAt };
    } catch (error) {
      await rm(directory, { recursive: true, force: true });
      if (!this.tasks().includes(owned)) return undefined;
      if (error instanceof StoreCorruptedError) this.options.damaged(error.directory, error.message);
      this.failed(error, record);
      return undefined;
    }
  }

  /** Does not reject. */
  private async store({ record, directory, files, positions, createdAt }: Taken): Promise<void> {
    const { logger, clock, store } = this.options;
    const started = performance.now();
    try {
      const saved = await store.save(record.subject, { files, positions, createdAt }, this.ending.signal);
      const durationMs = performance.now() - started;
      record.saved({ time: createdAt, durationMs, ...saved }, positions, clock.now());
      this.metrics.saved(saved, durationMs / 1000);
      this.retryMs = 0;
      logger.info({ task: record.name, ...saved, ms: Math.round(durationMs) }, 'snapshot stored');
    } catch (error) {
      if (this.ending.signal.aborted) return;
      this.failed(error, record);
    } finally {
      await rm(directory, { recursive: true, force: true }).catch(() => {});
    }
  }

  private failed(error: unknown, record?: TaskSnapshots): void {
    const { everyMs, clock, logger } = this.options;
    this.metrics.failed();
    this.retryMs = Math.min(Math.max(2 * this.retryMs, FIRST_RETRY_MS), everyMs);
    this.pausedUntil = clock.now() + this.retryMs;
    // Behind the others.
    record?.failed(error, this.pausedUntil);
    const code = error instanceof KstreamdError ? error.code : undefined;
    const fix = error instanceof KstreamdError ? error.fix : undefined;
    const what = error instanceof SnapshotError ? 'snapshots cannot be stored' : 'a snapshot could not be made';
    logger.warn({ err: messageOf(error), code, fix, retryMs: this.retryMs }, `${what}; processing goes on, and it is tried again`);
  }

  private recordOf({ snapshots }: Snapshotted): TaskSnapshots {
    const name = taskName(snapshots.folder, snapshots.partition);
    let record = this.records.get(name);
    if (record === undefined) {
      record = new TaskSnapshots(snapshots, this.options.everyMs, this.options.clock.now());
      this.records.set(name, record);
    }
    return record;
  }

  private newDirectory(kind: string): string {
    return join(this.options.scratch, `${kind}-${this.directories++}`);
  }
}
