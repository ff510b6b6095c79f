import { OffsetOutOfRangeError, RetriableError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import type { RawBatch } from '../core/raw-batch.js';
import { type PartitionReader, partitionKey, type TopicPartition } from '../core/transport.js';
import type { EngineMetrics } from './metrics.js';
import { Signal } from './signal.js';

/** Records asked for in one read: more adds memory and stalls, not speed. */
const READ_SIZE = 1000;
/** Records kept ahead of the tasks. */
const PREFETCH = 1000;
/** Records asked for while enough is held, and how often: reading then only serves events. */
const SERVE_SIZE = 32;
const SERVE_EVERY_MS = 2;
/** A step busy for so long makes the intake read on, so that membership events are served (C6). */
const BUSY_MS = 250;
const LOOK_AGAIN_MS = 50;
const RETRY_MS = 200;

/**
 * Reads ahead of the tasks. Reading goes on while a step is busy, so that a slow one never costs the
 * membership (C6); partitions are paused only when the bytes held pass the bound, and resumed at half of it
 * (C7).
 */
export class Intake {
  /** The last read gave all that was there. */
  drained = true;
  private heldRecords = 0;
  private heldBytes = 0;
  private paused: readonly TopicPartition[] = [];
  private stopped = false;
  private dropping = false;
  private awaited = 0;
  private busySince: number | undefined;
  private running: Promise<void> | undefined;
  private readonly room = new Signal();

  constructor(
    private readonly options: {
      reader: PartitionReader;
      maxBytes: number;
      metrics: EngineMetrics;
      logger: Logger;
      /** Gives records to their task; false when the partition is not ours any more. */
      deliver: (raw: RawBatch) => boolean;
      /** The partitions to pause when too much is held. */
      assigned: () => readonly TopicPartition[];
      /** Partitions that tasks wait for: they are read on, however much is held of others (T4). */
      awaited: () => readonly TopicPartition[];
      /** All that was read so far has been given to its tasks. */
      delivered: () => void;
      /** Something came, or reading has ended. */
      arrived: () => void;
      failed: (error: unknown) => void;
    },
  ) {}

  start(): void {
    this.running = this.loop().catch((error: unknown) => this.options.failed(error));
  }

  /** Resolves when no read is under way. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.room.notify();
    await this.running;
  }

  /** A task has taken records, or dropped them. */
  release(records: number, bytes: number): void {
    this.heldRecords -= records;
    this.heldBytes -= bytes;
    this.room.notify();
  }

  /** A step works asynchronously from now on; undefined when it is done. */
  busy(since: number | undefined): void {
    this.busySince = since;
  }

  /** Reads on until the answer is there, however much is held: acknowledgements come with reading. */
  async readOnFor<T>(answer: Promise<T>): Promise<T> {
    this.awaited++;
    this.room.notify();
    try {
      return await answer;
    } finally {
      this.awaited--;
    }
  }

  /** Runs `move` while everything that is read is dropped: for seeks. */
  async whileDropping(move: () => Promise<void>): Promise<void> {
    this.dropping = true;
    try {
      await move();
    } finally {
      this.dropping = false;
    }
  }

  /** Partitions assigned while others are paused start reading; the next look pauses them too if need be. */
  forgetPauses(): void {
    if (this.paused.length > 0) this.options.reader.resume(this.paused);
    this.paused = [];
  }

  private async loop(): Promise<void> {
    while (!this.stopped) {
      const awaited = this.options.awaited();
      this.regulate(awaited);
      if (this.heldRecords < PREFETCH || awaited.length > 0) await this.readOnce(READ_SIZE);
      else if (this.mustRead()) {
        await this.readOnce(SERVE_SIZE);
        await this.room.wait(SERVE_EVERY_MS);
      } else await this.room.wait(LOOK_AGAIN_MS);
    }
  }

  /** Answers and membership events come with reading, so it goes on in small portions although enough is held. */
  private mustRead(): boolean {
    if (this.awaited > 0 || this.paused.length > 0) return true;
    return this.busySince !== undefined && performance.now() - this.busySince >= BUSY_MS;
  }

  private async readOnce(max: number): Promise<void> {
    const { reader, metrics, logger } = this.options;
    const started = performance.now();
    try {
      const { batches, drained } = await reader.read(max);
      this.drained = drained;
      for (const raw of batches) this.take(raw);
      if (!this.dropping) this.options.delivered();
    } catch (error) {
      // Only a person can say where to go on: skipping what is gone would lose it silently.
      if (!(error instanceof RetriableError) || error instanceof OffsetOutOfRangeError) throw error;
      logger.warn({ err: error.message, code: error.code }, 'reading failed; trying again');
      await this.room.wait(RETRY_MS);
    }
    metrics.poll.observe((performance.now() - started) / 1000);
    metrics.heldBytes.set(this.heldBytes);
    this.options.arrived();
  }

  private take(raw: RawBatch): void {
    if (this.dropping || !this.options.deliver(raw)) return;
    this.heldRecords += raw.length;
    this.heldBytes += raw.bytes;
    this.options.metrics.read(raw.topic, raw.length, raw.bytes);
  }

  private regulate(awaited: readonly TopicPartition[]): void {
    const { reader, maxBytes, metrics } = this.options;
    const keys = new Set(awaited.map(partitionKey));
    const needed = this.paused.filter((partition) => keys.has(partitionKey(partition)));
    if (needed.length > 0) {
      reader.resume(needed);
      this.paused = this.paused.filter((partition) => !needed.includes(partition));
    } else if (this.paused.length === 0 && this.heldBytes > maxBytes) {
      this.paused = this.options.assigned().filter((partition) => !keys.has(partitionKey(partition)));
      reader.pause(this.paused);
    } else if (this.paused.length > 0 && this.heldBytes <= maxBytes / 2) {
      this.forgetPauses();
    } else return;
    metrics.pausedPartitions.set(this.paused.length);
  }
}
