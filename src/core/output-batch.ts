import { decodeHeaders, encodeHeaders, type Headers, headerBytes, NO_HEADERS } from './headers.js';
import type { Serde } from './serde.js';

/** A record on its way out, as an object. */
export interface OutputRecord {
  readonly topic: string;
  /** undefined: Java's murmur2 of the key, a random one for a null key (R4). */
  readonly partition: number | undefined;
  readonly key: Buffer | null;
  /** null is a tombstone, told from empty. */
  readonly value: Buffer | null;
  /** Epoch milliseconds. */
  readonly timestamp: number;
  readonly headers: Headers;
}

/** Columns of `OutputBatch.fields`. Positions and lengths are in bytes of the source; a length of −1 is null. */
export const Field = {
  topic: 0,
  /** −1: the client's partitioner. */
  partition: 1,
  keySource: 2,
  keyPosition: 3,
  keyLength: 4,
  valueSource: 5,
  valuePosition: 6,
  valueLength: 7,
  headerSource: 8,
  /** Where `encodeHeaders` wrote them; −1: none. */
  headerPosition: 9,
} as const;
export const FIELDS = 10;

const ARENA = 0;
const ARENA_BYTES = 64 * 1024;
/** An arena that a burst has made larger than this is let go. */
const KEEP_ARENA_BYTES = 4 * 1024 * 1024;
const ROWS = 1024;
const KEEP_ROWS = 64 * 1024;
const KEEP_TOPICS = 16;

/**
 * Records on their way out, in columns: a number a field instead of an object a record. Bytes that no step changed are
 * references into what was read; new ones are written one behind the other into the arena, which is `sources[0]`.
 * `add` begins a record, with null key, null value and no headers; the calls after it fill that record.
 */
export class OutputBatch {
  length = 0;
  /** By the number in the column `topic`. */
  readonly topics: string[] = [];
  fields = new Int32Array(ROWS * FIELDS);
  /** Epoch milliseconds. */
  timestamps = new Float64Array(ROWS);
  /** Offset of the input record behind each output: its place in the batch (B4). */
  positions = new Float64Array(ROWS);
  /** Memory that the fields point into. Not to be changed before the sink has taken the batch. */
  readonly sources: Buffer[] = [Buffer.allocUnsafeSlow(ARENA_BYTES)];
  private used = 0;
  private row = 0;

  static of(...records: readonly OutputRecord[]): OutputBatch {
    const batch = new OutputBatch();
    for (const record of records) batch.append(record);
    return batch;
  }

  add(topic: string, partition: number | undefined, timestamp: number, position: number): void {
    if (this.length === this.timestamps.length) this.grow();
    const { length, fields } = this;
    const row = length * FIELDS;
    this.row = row;
    fields[row] = this.topicNumber(topic);
    fields[row + Field.partition] = partition ?? -1;
    fields[row + Field.keyLength] = -1;
    fields[row + Field.valueLength] = -1;
    fields[row + Field.headerPosition] = -1;
    this.timestamps[length] = timestamp;
    this.positions[length] = position;
    this.length = length + 1;
  }

  append({ topic, partition, key, value, timestamp, headers }: OutputRecord, position = 0): void {
    this.add(topic, partition, timestamp, position);
    if (key !== null) this.key(key);
    if (value !== null) this.value(value);
    this.headers(headers);
  }

  /** Chosen once the key is known. */
  partition(partition: number): void {
    this.fields[this.row + Field.partition] = partition;
  }

  keyFrom(source: Buffer, position: number, length: number): void {
    this.point(Field.keySource, this.sourceNumber(source), position, length);
  }

  valueFrom(source: Buffer, position: number, length: number): void {
    this.point(Field.valueSource, this.sourceNumber(source), position, length);
  }

  headersFrom(source: Buffer, position: number): void {
    this.fields[this.row + Field.headerSource] = this.sourceNumber(source);
    this.fields[this.row + Field.headerPosition] = position;
  }

  /** Copies the bytes. */
  key(bytes: Buffer): void {
    this.point(Field.keySource, ARENA, this.copy(bytes), bytes.length);
  }

  /** Copies the bytes. */
  value(bytes: Buffer): void {
    this.point(Field.valueSource, ARENA, this.copy(bytes), bytes.length);
  }

  headers(headers: Headers): void {
    if (headers.length === 0) return;
    this.fields[this.row + Field.headerSource] = ARENA;
    this.fields[this.row + Field.headerPosition] = this.copy(encodeHeaders(headers));
  }

  /** Throws what the serde throws. */
  serializeKey<T>(value: T, serde: Serde<T>): void {
    this.serialize(Field.keySource, value, serde);
  }

  /** Throws what the serde throws. */
  serializeValue<T>(value: T, serde: Serde<T>): void {
    this.serialize(Field.valueSource, value, serde);
  }

  /** The record being written, without its headers. */
  get current(): { key: Buffer | null; value: Buffer | null } {
    return { key: this.view(this.row + Field.keySource), value: this.view(this.row + Field.valueSource) };
  }

  /** Bytes of key, value and headers of the record being written. */
  get recordBytes(): number {
    const last = this.length - 1;
    return this.bytesAt(last) + ((this.fields[this.row + Field.headerPosition] as number) < 0 ? 0 : headerBytes(this.headersAt(last)));
  }

  /** Bytes of key and value of one record. */
  bytesAt(index: number): number {
    const row = index * FIELDS;
    return Math.max(this.fields[row + Field.keyLength] as number, 0) + Math.max(this.fields[row + Field.valueLength] as number, 0);
  }

  topicAt(index: number): string {
    return this.topics[this.fields[index * FIELDS] as number] as string;
  }

  keyAt(index: number): Buffer | null {
    return this.view(index * FIELDS + Field.keySource);
  }

  valueAt(index: number): Buffer | null {
    return this.view(index * FIELDS + Field.valueSource);
  }

  headersAt(index: number): Headers {
    const row = index * FIELDS;
    const position = this.fields[row + Field.headerPosition] as number;
    return position < 0 ? NO_HEADERS : decodeHeaders(this.sources[this.fields[row + Field.headerSource] as number] as Buffer, position);
  }

  /** The record as an object whose bytes are views. */
  recordAt(index: number): OutputRecord {
    const partition = this.fields[index * FIELDS + Field.partition] as number;
    return {
      topic: this.topicAt(index),
      partition: partition < 0 ? undefined : partition,
      key: this.keyAt(index),
      value: this.valueAt(index),
      timestamp: this.timestamps[index] as number,
      headers: this.headersAt(index),
    };
  }

  /** Brings the records into the order of their inputs; those of one input stay as they were added (B4). */
  sortByPosition(): void {
    const { length, positions, timestamps, fields } = this;
    const order = Array.from({ length }, (_, i) => i).sort((a, b) => (positions[a] as number) - (positions[b] as number));
    const sorted = new Int32Array(fields.length);
    for (const [to, from] of order.entries()) sorted.set(fields.subarray(from * FIELDS, (from + 1) * FIELDS), to * FIELDS);
    fields.set(sorted);
    timestamps.set(order.map((from) => timestamps[from] as number));
    positions.set(order.map((from) => positions[from] as number));
  }

  /** Empty again, to be filled anew. */
  clear(): void {
    this.length = 0;
    this.used = 0;
    this.sources.length = 1;
    if ((this.sources[ARENA] as Buffer).length > KEEP_ARENA_BYTES) this.sources[ARENA] = Buffer.allocUnsafeSlow(ARENA_BYTES);
    if (this.timestamps.length > KEEP_ROWS) this.resize(ROWS);
    if (this.topics.length > KEEP_TOPICS) this.topics.length = 0;
  }

  private point(column: number, source: number, position: number, length: number): void {
    const { fields } = this;
    const at = this.row + column;
    fields[at] = source;
    fields[at + 1] = position;
    fields[at + 2] = length;
  }

  private view(at: number): Buffer | null {
    const length = this.fields[at + 2] as number;
    if (length < 0) return null;
    const source = this.sources[this.fields[at] as number] as Buffer;
    const position = this.fields[at + 1] as number;
    return position === 0 && length === source.length ? source : source.subarray(position, position + length);
  }

  private serialize<T>(column: number, value: T, serde: Serde<T>): void {
    if (serde.serializeInto === undefined) {
      const bytes = serde.serialize(value);
      this.point(column, ARENA, this.copy(bytes), bytes.length);
      return;
    }
    const from = this.used;
    let to = serde.serializeInto(value, this.sources[ARENA] as Buffer, from);
    while (to < 0) {
      this.enlarge((this.sources[ARENA] as Buffer).length + 1);
      to = serde.serializeInto(value, this.sources[ARENA] as Buffer, from);
    }
    this.used = to;
    this.point(column, ARENA, from, to - from);
  }

  private copy(bytes: Buffer): number {
    const at = this.used;
    const end = at + bytes.length;
    if (end > (this.sources[ARENA] as Buffer).length) this.enlarge(end);
    (this.sources[ARENA] as Buffer).set(bytes, at);
    this.used = end;
    return at;
  }

  /** Positions stay as they are. */
  private enlarge(atLeast: number): void {
    const arena = this.sources[ARENA] as Buffer;
    const larger = Buffer.allocUnsafeSlow(Math.max(atLeast, 2 * arena.length));
    arena.copy(larger, 0, 0, this.used);
    this.sources[ARENA] = larger;
  }

  private topicNumber(topic: string): number {
    const { topics } = this;
    if (topics[0] === topic) return 0;
    const known = topics.indexOf(topic);
    return known >= 0 ? known : topics.push(topic) - 1;
  }

  /** Records of one read come together, so the last source is mostly the one. */
  private sourceNumber(source: Buffer): number {
    const { sources } = this;
    const last = sources.length - 1;
    if (last > ARENA && sources[last] === source) return last;
    return sources.push(source) - 1;
  }

  private grow(): void {
    this.resize(2 * this.timestamps.length);
  }

  private resize(rows: number): void {
    const { fields, timestamps, positions } = this;
    const kept = this.length;
    this.fields = new Int32Array(rows * FIELDS);
    this.timestamps = new Float64Array(rows);
    this.positions = new Float64Array(rows);
    if (kept === 0) return;
    this.fields.set(fields);
    this.timestamps.set(timestamps);
    this.positions.set(positions);
  }
}
