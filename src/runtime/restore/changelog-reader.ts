import { setImmediate as nextTurn } from 'node:timers/promises';
import { messageOf, OffsetOutOfRangeError, RetriableError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import type { RawBatch } from '../../core/raw-batch.js';
import { type PartitionOffset, type PartitionReader, partitionKey, type TopicPartition } from '../../core/transport.js';
import { Signal } from '../signal.js';

/** Records asked for in one read: more adds memory and stalls, not speed. */
const READ_SIZE = 1000;
const DEFAULT_MAX_BYTES = 128 * 1024 * 1024;
const LARGEST_CHUNK_BYTES = 32 * 1024 * 1024;
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5_000;
const LOOK_AGAIN_MS = 1_000;

/** Who is given the records of one partition. None of its calls may throw. */
export interface ChangelogTaker {
  /** While true nothing is read, of any partition: call `reader.roomMade()` when that ends. */
  readonly full: boolean;
  /** Consecutive records; the batch may be kept. */
  take(raw: RawBatch): void;
  /** Follows every read, also one without records: the next offset, past transaction markers; undefined before the first record (B5). */
  turn(position: number | undefined): void;
  /** Nothing more will come: the partition cannot be read on from where it was. */
  failed(error: unknown): void;
}

interface Entry {
  readonly position: PartitionOffset;
  readonly taker: ChangelogTaker;
  gone: boolean;
}

/**
 * One PartitionReader shared by all changelogs that are restored or followed at the same time (S4, S10). What it reads is
 * bounded by what its takers hold; between two reads everything else in the process has its turn.
 *
 * Give it a read_committed reader under both guarantees: under at-least-once it costs nothing where there are no transactions,
 * and leaves out what was aborted while the application was still exactly-once.
 */
export class ChangelogReader {
  /** Partitions that the reader has; it changes only between two reads, so that no record of an earlier position is handed out. */
  private readonly entries = new Map<string, Entry>();
  private readonly takers = new Map<ChangelogTaker, Entry>();
  private readonly changes: (() => void)[] = [];
  private running: Promise<void> | undefined;
  private closed = false;
  private readonly room = new Signal();

  constructor(
    private readonly reader: PartitionReader,
    private readonly logger: Logger,
    /** Bound of the bytes held on the way to the stores, of all partitions together (S12). */
    private readonly maxBytes = DEFAULT_MAX_BYTES,
  ) {}

  /** Bytes that a taker gathers before it writes them; twice as much is held while a write is under way. */
  get chunkBytes(): number {
    return Math.min(LARGEST_CHUNK_BYTES, this.maxBytes / (2 * Math.max(this.takers.size, 1)));
  }

  /** Reads a partition from an offset on, until it is removed or has failed. */
  add(position: PartitionOffset, taker: ChangelogTaker): void {
    const entry: Entry = { position, taker, gone: false };
    this.changes.push(() => {
      if (entry.gone) return;
      const key = partitionKey(position);
      if (this.entries.has(key)) throw new Error(`${key} is being read already`);
      this.entries.set(key, entry);
      this.reader.assign([position]);
    });
    this.takers.set(taker, entry);
    this.start();
  }

  /** From now on the taker is given nothing. */
  remove(taker: ChangelogTaker): void {
    const entry = this.takers.get(taker);
    if (entry === undefined) return;
    this.takers.delete(taker);
    entry.gone = true;
    this.changes.push(() => {
      const key = partitionKey(entry.position);
      if (this.entries.get(key) !== entry) return;
      this.entries.delete(key);
      this.reader.unassign([entry.position]);
    });
    this.room.notify();
  }

  /** A taker that was full no longer is. */
  roomMade(): void {
    this.room.notify();
  }

  /** First offset held by the broker and the one after the last that may be read. */
  watermarks(partition: TopicPartition): Promise<{ low: number; high: number }> {
    return this.reader.watermarks(partition);
  }

  /** Stop what reads first; what still does fails. */
  async close(): Promise<void> {
    this.closed = true;
    this.room.notify();
    this.failAll(new Error('the reader of changelogs was closed'));
    await this.running;
    await this.reader.close();
  }

  private start(): void {
    this.running ??= this.loop()
      .catch((error: unknown) => this.failAll(error))
      .finally(() => {
        this.running = undefined;
        if (this.takers.size > 0 && !this.closed) this.start();
      });
  }

  private async loop(): Promise<void> {
    let retryMs = FIRST_RETRY_MS;
    while (!this.closed) {
      for (const change of this.changes.splice(0)) change();
      if (this.entries.size === 0) return;
      if (this.anyFull()) {
        await this.room.wait(LOOK_AGAIN_MS);
        continue;
      }
      try {
        const { batches } = await this.reader.read(READ_SIZE);
        retryMs = FIRST_RETRY_MS;
        this.give(batches);
      } catch (error) {
        if (!(error instanceof RetriableError)) throw error;
        if (!(error instanceof OffsetOutOfRangeError && this.fail(error))) {
          this.logger.warn({ err: messageOf(error), code: error.code }, 'reading changelogs failed; trying again');
          await this.room.wait(retryMs);
          retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
        }
      }
      await nextTurn();
    }
  }

  private give(batches: readonly RawBatch[]): void {
    for (const raw of batches) {
      const entry = this.entries.get(partitionKey(raw));
      if (entry !== undefined && !entry.gone) entry.taker.take(raw);
    }
    for (const entry of this.entries.values()) {
      if (!entry.gone) entry.taker.turn(this.reader.position(entry.position));
    }
  }

  private anyFull(): boolean {
    for (const { taker, gone } of this.entries.values()) if (!gone && taker.full) return true;
    return false;
  }

  /** Tells the one it concerns; false when that is nobody. */
  private fail(error: OffsetOutOfRangeError): boolean {
    const entry = this.entries.get(partitionKey(error.at));
    if (entry === undefined || entry.gone) return entry !== undefined;
    this.remove(entry.taker);
    entry.taker.failed(error);
    return true;
  }

  private failAll(error: unknown): void {
    for (const taker of [...this.takers.keys()]) {
      this.remove(taker);
      taker.failed(error);
    }
  }
}
