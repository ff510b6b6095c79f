import type { Headers } from '../core/headers.js';
import { RawBatch } from '../core/raw-batch.js';

/** A record as the broker holds it. */
export interface LogRecord {
  readonly offset: number;
  /** Epoch milliseconds. */
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Headers;
}

/** The records of one topic partition, in the order in which they came. */
export class PartitionLog {
  private records: LogRecord[] = [];
  private first = 0;

  constructor(
    readonly topic: string,
    readonly partition: number,
  ) {}

  /** First offset that is still there. */
  get low(): number {
    return this.first;
  }

  /** The offset that the next record gets. */
  get high(): number {
    return this.first + this.records.length;
  }

  append(record: Omit<LogRecord, 'offset'>): LogRecord {
    const kept = { ...record, offset: this.high };
    this.records.push(kept);
    return kept;
  }

  /** Up to `max` records from `offset` on; undefined when there are none. */
  read(offset: number, max: number): RawBatch | undefined {
    const start = offset - this.first;
    const records = this.records.slice(start, start + max);
    return records.length === 0 ? undefined : new LogBatch(this.topic, this.partition, records);
  }

  /** All that is there. */
  all(): readonly LogRecord[] {
    return this.records;
  }

  /** Offset of the first record at or after a time; the end when there is none. */
  offsetForTime(timestamp: number): number {
    return this.records.find((record) => record.timestamp >= timestamp)?.offset ?? this.high;
  }

  deleteBefore(offset: number): void {
    const low = Math.min(Math.max(offset, this.first), this.high);
    this.records = this.records.slice(low - this.first);
    this.first = low;
  }
}

/** Some consecutive records of one partition. */
export class LogBatch extends RawBatch {
  readonly length: number;

  constructor(
    readonly topic: string,
    readonly partition: number,
    private readonly records: readonly LogRecord[],
  ) {
    super();
    this.length = records.length;
  }

  get bytes(): number {
    return this.records.reduce((sum, { key, value }) => sum + (key?.length ?? 0) + (value?.length ?? 0), 0);
  }

  offsetAt(index: number): number {
    return this.at(index).offset;
  }

  timestampAt(index: number): number {
    return this.at(index).timestamp;
  }

  keyAt(index: number): Buffer | null {
    return this.at(index).key;
  }

  valueAt(index: number): Buffer | null {
    return this.at(index).value;
  }

  headersAt(index: number): Headers {
    return this.at(index).headers;
  }

  private at(index: number): LogRecord {
    const record = this.records[index];
    if (!record) throw new RangeError(`index ${index} in a batch of ${this.length}`);
    return record;
  }
}
