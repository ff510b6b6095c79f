import type { Headers } from '../core/headers.js';
import { RawBatch } from '../core/raw-batch.js';
import type { Isolation } from '../core/transport.js';

/** A record as the broker holds it. */
export interface LogRecord {
  readonly offset: number;
  /** Epoch milliseconds. */
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Headers;
}

/** What wrote a record. As long as it is open nothing behind it is seen by readers of committed records. */
export interface LogTransaction {
  readonly state: 'open' | 'committed' | 'aborted';
}

interface Entry {
  /** undefined: the marker that ends a transaction. */
  readonly record: LogRecord | undefined;
  readonly transaction: LogTransaction | undefined;
}

/** The records of one topic partition, in the order in which they came; the end of a transaction takes an offset too. */
export class PartitionLog {
  private entries: Entry[] = [];
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
    return this.first + this.entries.length;
  }

  /** Up to where a reader gets: readers of committed records stop at the first open transaction. */
  end(isolation: Isolation): number {
    if (isolation === 'read_uncommitted') return this.high;
    const open = this.entries.findIndex(({ transaction }) => transaction?.state === 'open');
    return open < 0 ? this.high : this.first + open;
  }

  append(record: Omit<LogRecord, 'offset'>, transaction?: LogTransaction): LogRecord {
    const kept = { ...record, offset: this.high };
    this.entries.push({ record: kept, transaction });
    return kept;
  }

  /** A transaction that wrote here has ended. */
  mark(): void {
    this.entries.push({ record: undefined, transaction: undefined });
  }

  /** Up to `max` records from `offset` on, or undefined when there are none; `next` is past what was read and past what is not shown. */
  read(offset: number, max: number, isolation: Isolation): { batch: RawBatch | undefined; next: number } {
    const end = this.end(isolation);
    const records: LogRecord[] = [];
    let next = offset;
    for (; next < end && records.length < max; next++) {
      const record = shown(this.entries[next - this.first] as Entry, isolation);
      if (record) records.push(record);
    }
    return { batch: records.length === 0 ? undefined : new LogBatch(this.topic, this.partition, records), next };
  }

  /** All that a reader sees. */
  all(isolation: Isolation = 'read_committed'): readonly LogRecord[] {
    const count = this.end(isolation) - this.first;
    return this.entries.slice(0, count).flatMap((entry) => shown(entry, isolation) ?? []);
  }

  /** Offset of the first record at or after a time; the end when there is none. */
  offsetForTime(timestamp: number): number {
    return this.entries.find(({ record }) => record && record.timestamp >= timestamp)?.record?.offset ?? this.high;
  }

  deleteBefore(offset: number): void {
    const low = Math.min(Math.max(offset, this.first), this.high);
    this.entries = this.entries.slice(low - this.first);
    this.first = low;
  }
}

function shown({ record, transaction }: Entry, isolation: Isolation): LogRecord | undefined {
  return isolation === 'read_committed' && transaction?.state === 'aborted' ? undefined : record;
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
