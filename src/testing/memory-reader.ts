import { OffsetOutOfRangeError } from '../core/errors.js';
import type { RawBatch } from '../core/raw-batch.js';
import { type Isolation, type PartitionOffset, type PartitionReader, partitionKey, type ReadResult, type TopicPartition } from '../core/transport.js';
import type { MemoryCluster } from './memory-cluster.js';

interface Reading {
  readonly partition: TopicPartition;
  next: number;
  /** Something was read since it was assigned or moved. */
  started: boolean;
  /** Of the log, when it was looked at last. */
  end?: number;
  /** Nothing is handed out any more: it is being given up. */
  silent: boolean;
}

export class MemoryReader implements PartitionReader {
  private readonly assigned = new Map<string, Reading>();
  private readonly paused = new Set<string>();
  private stopWaiting: (() => void) | undefined;
  private reading = false;
  private closed = false;

  constructor(
    private readonly broker: MemoryCluster,
    /** Serves what waits for a read: the events of the group. */
    private readonly serve: () => void,
    private readonly isolation: Isolation,
  ) {}

  assign(positions: readonly PartitionOffset[]): void {
    for (const { topic, partition, offset } of positions) {
      const name = partitionKey({ topic, partition });
      if (!this.assigned.has(name)) this.assigned.set(name, { partition: { topic, partition }, next: offset, started: false, silent: false });
    }
    this.wake();
  }

  unassign(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) {
      this.assigned.delete(partitionKey(partition));
      this.paused.delete(partitionKey(partition));
    }
  }

  async seek(positions: readonly PartitionOffset[]): Promise<void> {
    for (const position of positions) {
      const reading = this.assigned.get(partitionKey(position));
      if (!reading) throw new Error(`${partitionKey(position)} cannot be moved: it is not assigned`);
      reading.next = position.offset;
      reading.started = false;
    }
    this.wake();
  }

  pause(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) this.paused.add(partitionKey(partition));
  }

  resume(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) this.paused.delete(partitionKey(partition));
    this.wake();
  }

  async read(max: number): Promise<ReadResult> {
    if (this.reading) throw new Error('a read was started while another was under way');
    this.reading = true;
    try {
      await nextTurn();
      this.serve();
      let batches = this.take(max);
      if (batches.length === 0) {
        await this.change();
        this.serve();
        batches = this.take(max);
      }
      return { batches, drained: batches.reduce((sum, { length }) => sum + length, 0) < max };
    } finally {
      this.reading = false;
    }
  }

  position(partition: TopicPartition): number | undefined {
    const reading = this.assigned.get(partitionKey(partition));
    return reading?.started ? reading.next : undefined;
  }

  async watermarks(partition: TopicPartition): Promise<{ low: number; high: number }> {
    this.broker.checkReachable('watermarks');
    const log = this.broker.log(partition);
    return { low: log.low, high: log.end(this.isolation) };
  }

  async offsetForTime(partition: TopicPartition, timestamp: number): Promise<number> {
    this.broker.checkReachable('offset for a time');
    return this.broker.log(partition).offsetForTime(timestamp);
  }

  cachedEnd(partition: TopicPartition): number | undefined {
    return this.assigned.get(partitionKey(partition))?.end;
  }

  async close(): Promise<void> {
    this.closed = true;
    this.assigned.clear();
    this.wake();
  }

  /** Hands out nothing more of these. */
  silence(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) {
      const reading = this.assigned.get(partitionKey(partition));
      if (reading) reading.silent = true;
    }
  }

  /** Ends the wait of a read that is under way. */
  wake(): void {
    this.stopWaiting?.();
  }

  /** One batch a partition; the partition read first goes to the end of the queue, so that none starves. */
  private take(max: number): RawBatch[] {
    const batches: RawBatch[] = [];
    if (!this.broker.reachable || this.closed) return batches;
    let left = max;
    for (const [name, reading] of [...this.assigned]) {
      if (left === 0) break;
      if (reading.silent || this.paused.has(name)) continue;
      const batch = this.takeFrom(reading, left);
      if (!batch) continue;
      batches.push(batch);
      left -= batch.length;
      this.assigned.delete(name);
      this.assigned.set(name, reading);
    }
    return batches;
  }

  private takeFrom(reading: Reading, max: number): RawBatch | undefined {
    const log = this.broker.log(reading.partition);
    if (reading.next < log.low || reading.next > log.high) {
      throw new OffsetOutOfRangeError({ ...reading.partition, offset: reading.next }, log.low, log.high);
    }
    reading.end = log.high;
    const { batch, next } = log.read(reading.next, max, this.isolation);
    if (next === reading.next) return undefined;
    reading.next = next;
    reading.started = true;
    return batch;
  }

  /** Resolves when something may have come, at the latest after the broker's `readWaitMs`. */
  private change(): Promise<void> {
    if (this.closed) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.stopWaiting?.(), this.broker.readWaitMs);
      const end = this.broker.onChange(() => this.stopWaiting?.());
      this.stopWaiting = () => {
        clearTimeout(timer);
        end();
        this.stopWaiting = undefined;
        resolve();
      };
    });
  }
}

/** Lets timers and other work have their turn, so that a loop of reads never starves them. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
