import { messageOf, RecordError } from './errors.js';
import { checkHeaders, type Headers, NO_HEADERS } from './headers.js';
import type { Origin } from './origin.js';
import type { OutputBatch } from './output-batch.js';
import type { RawBatch } from './raw-batch.js';
import type { Serde } from './serde.js';

/** What all records read from one topic partition by one source node share. */
export interface RecordSource {
  readonly topic: string | null;
  readonly partition: number;
  readonly keySerde: Serde<unknown> | null;
  readonly valueSerde: Serde<unknown> | null;
}

const NO_SOURCE: RecordSource = { topic: null, partition: -1, keySerde: null, valueSerde: null };

/** Marks a field that nobody has asked for yet. */
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
 * read from. It is a view of the batch it was read in: key, value and headers are read when first asked for, so a
 * step that does not look at them costs nothing, and what no step replaced leaves with its original bytes. Do not
 * change a value in place: `withKey`, `withValue`, `withTimestamp` and `withHeaders` make shallow copies that keep the
 * origin. A record that is kept keeps its whole batch in memory.
 */
export class StreamRecord<K = unknown, V = unknown> {
  private constructor(
    private readonly source: RecordSource,
    /** Where key, value and headers are unless they were replaced; undefined for records that were not read. */
    private readonly raw: RawBatch | undefined,
    private readonly index: number,
    readonly timestamp: number,
    /** Largest timestamp the task had seen when this record was taken, in epoch milliseconds (T1). */
    readonly streamTime: number,
    /** The bytes in `raw` are the key's. */
    private keyKept: boolean,
    /** The bytes in `raw` are the value's. */
    private valueKept: boolean,
    private ownHeaders: Headers | undefined,
    private parsedKey: K | typeof UNREAD,
    private parsedValue: V | typeof UNREAD,
  ) {}

  /** A record as the source node reads it. */
  static read<K, V>(source: RecordSource, raw: RawBatch, index: number, timestamp: number, streamTime: number): StreamRecord<K, V> {
    return new StreamRecord<K, V>(source, raw, index, timestamp, streamTime, true, true, undefined, UNREAD, UNREAD);
  }

  /** A new record without an origin, as punctuation callbacks forward; a negative timestamp throws, and what is no list of headers (R3, P4). */
  static of<K, V>({ key, value, timestamp, headers = NO_HEADERS }: RecordInit<K, V>): StreamRecord<K, V> {
    checkTimestamp(timestamp);
    checkHeaders(headers);
    return new StreamRecord<K, V>(NO_SOURCE, undefined, -1, timestamp, timestamp, false, false, headers, key, value);
  }

  get key(): K {
    if (this.parsedKey === UNREAD) this.parsedKey = this.read('key', this.source.keySerde) as K;
    return this.parsedKey;
  }

  get value(): V {
    if (this.parsedValue === UNREAD) this.parsedValue = this.read('value', this.source.valueSerde) as V;
    return this.parsedValue;
  }

  get headers(): Headers {
    this.ownHeaders ??= this.raw?.headersAt(this.index) ?? NO_HEADERS;
    return this.ownHeaders;
  }

  /** Source topic; null for records made by a punctuation (P4). */
  get topic(): string | null {
    return this.source.topic;
  }

  /** Source partition; −1 for records made by a punctuation. */
  get partition(): number {
    return this.source.partition;
  }

  /** Source offset; −1 for records made by a punctuation. */
  get offset(): number {
    return this.raw === undefined ? -1 : this.raw.offsetAt(this.index);
  }

  /** Where the input record stands; undefined for records made by a punctuation. */
  get origin(): Origin | undefined {
    const { topic, partition } = this.source;
    return topic === null ? undefined : { topic, partition, offset: this.offset };
  }

  withKey<K2>(key: K2): StreamRecord<K2, V> {
    const { source, raw, index, timestamp, streamTime, valueKept, ownHeaders, parsedValue } = this;
    return new StreamRecord<K2, V>(source, raw, index, timestamp, streamTime, false, valueKept, ownHeaders, key, parsedValue);
  }

  withValue<V2>(value: V2): StreamRecord<K, V2> {
    const { source, raw, index, timestamp, streamTime, keyKept, ownHeaders, parsedKey } = this;
    return new StreamRecord<K, V2>(source, raw, index, timestamp, streamTime, keyKept, false, ownHeaders, parsedKey, value);
  }

  withTimestamp(timestamp: number): StreamRecord<K, V> {
    checkTimestamp(timestamp);
    const { source, raw, index, streamTime, keyKept, valueKept, ownHeaders, parsedKey, parsedValue } = this;
    return new StreamRecord<K, V>(source, raw, index, timestamp, streamTime, keyKept, valueKept, ownHeaders, parsedKey, parsedValue);
  }

  /** Throws a TypeError for what is no list of headers. */
  withHeaders(headers: Headers): StreamRecord<K, V> {
    checkHeaders(headers);
    const { source, raw, index, timestamp, streamTime, keyKept, valueKept, parsedKey, parsedValue } = this;
    return new StreamRecord<K, V>(source, raw, index, timestamp, streamTime, keyKept, valueKept, headers, parsedKey, parsedValue);
  }

  /** This record with the origin and stream time of another: what a step forwards keeps its input's metadata (R3). */
  withOriginOf({ source, raw, index, streamTime }: StreamRecord): StreamRecord<K, V> {
    return new StreamRecord<K, V>(source, raw, index, this.timestamp, streamTime, false, false, this.headers, this.key, this.value);
  }

  /** Gives the key to the output being written, with its original bytes when they are still the key in this format. */
  writeKey(outputs: OutputBatch, serde: Serde<unknown>): void {
    const { raw, index, source } = this;
    const asRead = this.keyKept && raw !== undefined && (source.keySerde?.format === serde.format || !raw.hasKeyAt(index));
    if (asRead) raw.passKey(index, outputs);
    else if (this.key !== null && this.key !== undefined) outputs.serializeKey(this.key, serde);
  }

  /** The same for the value; null is a tombstone. */
  writeValue(outputs: OutputBatch, serde: Serde<unknown>): void {
    const { raw, index, source } = this;
    const asRead = this.valueKept && raw !== undefined && (source.valueSerde?.format === serde.format || !raw.hasValueAt(index));
    if (asRead) raw.passValue(index, outputs);
    else if (this.value !== null && this.value !== undefined) outputs.serializeValue(this.value, serde);
  }

  writeHeaders(outputs: OutputBatch): void {
    if (this.ownHeaders !== undefined) outputs.headers(this.ownHeaders);
    else this.raw?.passHeaders(this.index, outputs);
  }

  /** The key's own bytes as another serde reads them, null where there is none; of a record whose key no step replaced. */
  keyAs<T>(serde: Serde<T>): T | null {
    if (!this.keyKept || this.raw === undefined) throw new Error('the record does not have the key that was read');
    return this.raw.readKey(this.index, serde);
  }

  /** The same of the value. */
  valueAs<T>(serde: Serde<T>): T | null {
    if (!this.valueKept || this.raw === undefined) throw new Error('the record does not have the value that was read');
    return this.raw.readValue(this.index, serde);
  }

  /** Whether the value is null, told without deserializing it. */
  get isTombstone(): boolean {
    const value = this.parsedValue;
    if (value === UNREAD) return this.raw === undefined || !this.raw.hasValueAt(this.index);
    return value === null || value === undefined;
  }

  /** Whether a step gave it undefined for a value; a value that a format reads as undefined is none of a step's. */
  get lacksValue(): boolean {
    return this.parsedValue === undefined && !this.valueKept;
  }

  /** Whether both have the same key, told without reading keys that nobody has asked for. */
  hasKeyOf(other: StreamRecord): boolean {
    if (this.keyKept && other.keyKept) return this.raw === other.raw && this.index === other.index;
    return this.key === other.key;
  }

  /**
   * Lets go of the original bytes of an object that has been read, so that a change made in place by code
   * that is not ours is not lost at the sink.
   */
  dropSharedBytes(): void {
    if (typeof this.parsedKey === 'object' && this.parsedKey !== null) this.keyKept = false;
    if (typeof this.parsedValue === 'object' && this.parsedValue !== null) this.valueKept = false;
  }

  private read(field: 'key' | 'value', serde: Serde<unknown> | null): unknown {
    const { raw, index } = this;
    if (raw === undefined) return null;
    try {
      if (field === 'key') return serde === null ? raw.keyAt(index) : raw.readKey(index, serde);
      return serde === null ? raw.valueAt(index) : raw.readValue(index, serde);
    } catch (cause) {
      throw new RecordError('deserialize', undefined, this.origin, `the ${field} is not ${serde?.format}: ${messageOf(cause)}`, { cause });
    }
  }
}

function checkTimestamp(timestamp: number): void {
  if (!(timestamp >= 0)) throw new RangeError(`a record's timestamp must be epoch milliseconds and not negative, got ${timestamp}`);
}
