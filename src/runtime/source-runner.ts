import { RecordError } from '../core/errors.js';
import type { RawBatch } from '../core/raw-batch.js';
import { type RecordSource, StreamRecord } from '../core/record.js';
import type { TopicPartition } from '../core/transport.js';
import type { SourceNode, TimestampExtractor } from '../topology/nodes.js';
import { attribute } from './failure.js';
import { Preparation } from './preparation.js';

/** Times as the task has seen them; the source advances both (T1). */
export interface TaskTimes {
  streamTime: number;
}

/** What reading a stretch of a raw batch gave. */
export interface ReadStretch {
  readonly records: StreamRecord[];
  /** Index after the last raw record taken: before the end where stream time crossed a punctuation (B3). */
  readonly end: number;
  readonly skipped: number;
}

/** Turns raw records of one topic partition into stream records, and takes time from them (T1, T3). */
export class SourceRunner {
  private readonly source: RecordSource;
  private readonly extract: TimestampExtractor | undefined;
  private readonly origin: (offset: number) => { topic: string; partition: number; offset: number };
  readonly preparation: Preparation;
  /** Largest timestamp taken from the partition, −1 before the first (T1). */
  partitionTime = -1;

  constructor(
    readonly node: SourceNode,
    partition: TopicPartition,
  ) {
    this.source = { topic: partition.topic, partition: partition.partition, keySerde: node.key, valueSerde: node.value };
    this.preparation = new Preparation(node.key, node.value);
    this.extract = node.timestamp;
    this.origin = (offset) => ({ ...partition, offset });
  }

  /**
   * Reads from `from` up to `to`, or up to and with the record that takes stream time to `deadline`: the
   * punctuation fires after that record, as if records came one by one (B3).
   */
  read(raw: RawBatch, from: number, to: number, times: TaskTimes, deadline: (() => number) | undefined): ReadStretch {
    const records: StreamRecord[] = [];
    let skipped = 0;
    for (let i = from; i < to; i++) {
      const timestamp = this.extract === undefined ? raw.timestampAt(i) : this.extracted(raw, i, times.streamTime);
      if (timestamp === undefined) {
        skipped += 1;
        continue;
      }
      if (!(timestamp >= 0)) throw this.badTimestamp(raw.offsetAt(i), timestamp);
      if (timestamp > this.partitionTime) this.partitionTime = timestamp;
      if (timestamp > times.streamTime) times.streamTime = timestamp;
      records.push(StreamRecord.read(this.source, raw, i, timestamp, times.streamTime));
      if (deadline !== undefined && times.streamTime >= deadline()) return { records, end: i + 1, skipped };
    }
    return { records, end: to, skipped };
  }

  /** The time of a record that comes when the partition's is `partitionTime`; −∞ where it has none, so that it comes at once and is dealt with (T2). */
  timeOf(raw: RawBatch, i: number, partitionTime: number): number {
    if (this.extract === undefined) return checked(raw.timestampAt(i));
    try {
      return checked(this.extract(StreamRecord.read(this.source, raw, i, raw.timestampAt(i), partitionTime), partitionTime));
    } catch {
      return Number.NEGATIVE_INFINITY;
    }
  }

  private extracted(raw: RawBatch, i: number, streamTime: number): number | undefined {
    const record = StreamRecord.read(this.source, raw, i, raw.timestampAt(i), streamTime);
    try {
      return this.extract?.(record, this.partitionTime);
    } catch (error) {
      throw attribute(error, 'deserialize', this.node.name);
    }
  }

  private badTimestamp(offset: number, timestamp: number): RecordError {
    return new RecordError('deserialize', this.node.name, this.origin(offset), `the timestamp ${timestamp} is negative or not a number`, {
      code: 'record/timestamp',
      fix: 'read with "timestamp: skip-invalid", "partition-time" or "wall-clock"',
    });
  }
}

function checked(time: number | undefined): number {
  return time !== undefined && time >= 0 ? time : Number.NEGATIVE_INFINITY;
}
