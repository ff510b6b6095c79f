import { messageOf, RecordError } from './errors.js';
import type { Origin } from './origin.js';
import type { Serde } from './serde.js';

/** One header; Kafka allows duplicates, null and empty values, and keeps their order. */
export interface Header {
  readonly key: string;
  readonly value: Buffer | null;
}

export type Headers = readonly Header[];

export const NO_HEADERS: Headers = Object.freeze([]);

/** What all records read from one topic partition by one source node share. */
export interface RecordSource {
  readonly topic: string | null;
  readonly partition: number;
  readonly keySerde: Serde<unknown> | null;
  readonly valueSerde: Serde<unknown> | null;
}

const NO_SOURCE: RecordSource = { topic: null, partition: -1, keySerde: null, valueSerde: null };

/** Marks a field whose bytes nobody has asked for yet. */
const UNREAD = Symbol('unread');

/** What a record is made of when it does not come from a topic. */
export interface RecordInit<K, V> {
  key: K;
  value: V;
  /** Epoch milliseconds, not negative. */
  timestamp: number;
  headers?: Headers;
}

/**
 * A record on its way through the topology: key, value, timestamp and headers (R3), with the place it was
 * read from. Key and value are deserialized when first read, so a step that does not look at them costs
 * nothing, and what no step replaced leaves with its original bytes. Do not change a value in place:
 * `withKey`, `withValue`, `withTimestamp` and `withHeaders` make shallow copies that keep the origin.
 */
export class StreamRecord<K = unknown, V = unknown> {
  private parsedKey: K | typeof UNREAD;
  private parsedValue: V | typeof UNREAD;

  private constructor(
    private readonly source: RecordSource,
    readonly offset: number,
    readonly timestamp: number,
    private rawKey: Buffer | null | undefined,
    private rawValue: Buffer | null | undefined,
    readonly headers: Headers,
    key: K | typeof UNREAD,
    value: V | typeof UNREAD,
    /** Largest timestamp the task had seen when this record was taken, in epoch milliseconds (T1). */
    readonly streamTime: number,
  ) {
    this.parsedKey = key;
    this.parsedValue = value;
  }

  /** A record as the source node reads it. */
  static read<K, V>(
    source: RecordSource,
    offset: number,
    timestamp: number,
    key: Buffer | null,
    value: Buffer | null,
    headers: Headers,
    streamTime: number,
  ): StreamRecord<K, V> {
    return new StreamRecord<K, V>(source, offset, timestamp, key, value, headers, UNREAD, UNREAD, streamTime);
  }

  /** A new record without an origin, as punctuation callbacks forward; a negative timestamp throws (R3, P4). */
  static of<K, V>(init: RecordInit<K, V>): StreamRecord<K, V> {
    checkTimestamp(init.timestamp);
    return new StreamRecord<K, V>(NO_SOURCE, -1, init.timestamp, undefined, undefined, init.headers ?? NO_HEADERS, init.key, init.value, init.timestamp);
  }

  get key(): K {
    if (this.parsedKey === UNREAD) this.parsedKey = this.parse(this.rawKey, this.source.keySerde, 'key') as K;
    return this.parsedKey;
  }

  get value(): V {
    if (this.parsedValue === UNREAD) this.parsedValue = this.parse(this.rawValue, this.source.valueSerde, 'value') as V;
    return this.parsedValue;
  }

  /** Source topic; null for records made by a punctuation (P4). */
  get topic(): string | null {
    return this.source.topic;
  }

  /** Source partition; −1 for records made by a punctuation. */
  get partition(): number {
    return this.source.partition;
  }

  /** Where the input record stands; undefined for records made by a punctuation. */
  get origin(): Origin | undefined {
    const { topic, partition } = this.source;
    return topic === null ? undefined : { topic, partition, offset: this.offset };
  }

  withKey<K2>(key: K2): StreamRecord<K2, V> {
    return new StreamRecord<K2, V>(this.source, this.offset, this.timestamp, undefined, this.rawValue, this.headers, key, this.parsedValue, this.streamTime);
  }

  withValue<V2>(value: V2): StreamRecord<K, V2> {
    return new StreamRecord<K, V2>(this.source, this.offset, this.timestamp, this.rawKey, undefined, this.headers, this.parsedKey, value, this.streamTime);
  }

  withTimestamp(timestamp: number): StreamRecord<K, V> {
    checkTimestamp(timestamp);
    return new StreamRecord<K, V>(
      this.source,
      this.offset,
      timestamp,
      this.rawKey,
      this.rawValue,
      this.headers,
      this.parsedKey,
      this.parsedValue,
      this.streamTime,
    );
  }

  withHeaders(headers: Headers): StreamRecord<K, V> {
    return new StreamRecord<K, V>(
      this.source,
      this.offset,
      this.timestamp,
      this.rawKey,
      this.rawValue,
      headers,
      this.parsedKey,
      this.parsedValue,
      this.streamTime,
    );
  }

  /** This record with the origin and stream time of another: what a step forwards keeps its input's metadata (R3). */
  withOriginOf(input: StreamRecord): StreamRecord<K, V> {
    return new StreamRecord<K, V>(input.source, input.offset, this.timestamp, undefined, undefined, this.headers, this.key, this.value, input.streamTime);
  }

  /** The key's bytes under `serde`: the original ones when nothing replaced the key and the format is the same. */
  keyBytes(serde: Serde<unknown>): Buffer | null {
    if (this.rawKey !== undefined && (this.rawKey === null || this.source.keySerde?.format === serde.format)) return this.rawKey;
    const key = this.key;
    return key === null || key === undefined ? null : serde.serialize(key);
  }

  /** The value's bytes under `serde`; null is a tombstone. */
  valueBytes(serde: Serde<unknown>): Buffer | null {
    if (this.rawValue !== undefined && (this.rawValue === null || this.source.valueSerde?.format === serde.format)) return this.rawValue;
    const value = this.value;
    return value === null || value === undefined ? null : serde.serialize(value);
  }

  /** Whether the value is null, told without deserializing it. */
  get isTombstone(): boolean {
    const value = this.parsedValue === UNREAD ? this.rawValue : this.parsedValue;
    return value === null || value === undefined;
  }

  /** The bytes as they were read, for dead letters; undefined where a step replaced them. */
  get original(): { key: Buffer | null | undefined; value: Buffer | null | undefined } {
    return { key: this.rawKey, value: this.rawValue };
  }

  /**
   * Lets go of the original bytes of an object that has been read, so that a change made in place by code
   * that is not ours is not lost at the sink.
   */
  dropSharedBytes(): void {
    if (typeof this.parsedKey === 'object' && this.parsedKey !== null) this.rawKey = undefined;
    if (typeof this.parsedValue === 'object' && this.parsedValue !== null) this.rawValue = undefined;
  }

  private parse(bytes: Buffer | null | undefined, serde: Serde<unknown> | null, field: 'key' | 'value'): unknown {
    if (bytes === null || bytes === undefined) return null;
    try {
      return serde === null ? bytes : serde.deserialize(bytes);
    } catch (cause) {
      throw new RecordError('deserialize', undefined, this.origin, `the ${field} is not ${serde?.format}: ${messageOf(cause)}`, { cause });
    }
  }
}

function checkTimestamp(timestamp: number): void {
  if (!(timestamp >= 0)) throw new RangeError(`a record's timestamp must be epoch milliseconds and not negative, got ${timestamp}`);
}
