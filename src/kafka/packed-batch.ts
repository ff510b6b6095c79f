import { decodeHeaders, type Headers, NO_HEADERS } from '../core/headers.js';
import type { OutputBatch } from '../core/output-batch.js';
import { RawBatch, type RecordColumns } from '../core/raw-batch.js';
import type { Serde } from '../core/serde.js';
import type { FetchEvent, Fetched } from './fetched.js';

const HEAD_BYTES = 32;
const PART_WORDS = 6;
const EVENT_WORDS = 6;

/** The columns of one read of the addon; src/kafka/native/packed.c says how they lie in memory. */
interface Columns {
  readonly bytes: Buffer;
  readonly offsets: Float64Array;
  readonly timestamps: Float64Array;
  readonly keyPosition: Int32Array;
  readonly keyLength: Int32Array;
  readonly valueLength: Int32Array;
  readonly headerPosition: Int32Array;
}

/** One read of the addon: its batches, one a run of a partition's records, and the events among them. */
export class PackedRead implements Fetched {
  readonly records: number;
  readonly batches: readonly PackedBatch[];
  readonly events: readonly FetchEvent[];

  constructor(memory: ArrayBuffer) {
    const [records, parts, events] = new Int32Array(memory, 0, 3) as unknown as [number, number, number];
    const bytes = Buffer.from(memory);
    let at = HEAD_BYTES;
    const doubles = (count: number): Float64Array => {
      const column = new Float64Array(memory, at, count);
      at += column.byteLength;
      return column;
    };
    const words = (count: number): Int32Array => {
      const column = new Int32Array(memory, at, count);
      at += column.byteLength;
      return column;
    };
    const offsets = doubles(records);
    const timestamps = doubles(records);
    doubles(events); // where each event stands; what an event says is told by its code
    const columns: Columns = {
      bytes,
      offsets,
      timestamps,
      keyPosition: words(records),
      keyLength: words(records),
      valueLength: words(records),
      headerPosition: words(records),
    };
    this.records = records;
    this.batches = partsOf(columns, words(parts * PART_WORDS));
    this.events = eventsOf(bytes, words(events * EVENT_WORDS));
  }
}

function partsOf(columns: Columns, parts: Int32Array): PackedBatch[] {
  const batches: PackedBatch[] = [];
  for (let i = 0; i < parts.length; i += PART_WORDS) {
    const [topicAt, topicLength, partition, first, count, leaderEpoch] = parts.subarray(i, i + PART_WORDS) as unknown as number[];
    const topic = textAt(columns.bytes, topicAt as number, topicLength as number);
    batches.push(new PackedBatch(columns, topic, partition as number, first as number, count as number, leaderEpoch as number));
  }
  return batches;
}

function eventsOf(bytes: Buffer, events: Int32Array): FetchEvent[] {
  const told: FetchEvent[] = [];
  for (let i = 0; i < events.length; i += EVENT_WORDS) {
    const [code, topicAt, topicLength, partition, textFrom, textLength] = events.subarray(i, i + EVENT_WORDS) as unknown as number[];
    const topic = (topicLength as number) < 0 ? undefined : textAt(bytes, topicAt as number, topicLength as number);
    told.push({ code: code as number, topic, partition: partition as number, text: textAt(bytes, textFrom as number, textLength as number) });
  }
  return told;
}

function textAt(bytes: Buffer, at: number, length: number): string {
  return bytes.toString('utf8', at, at + length);
}

/** Consecutive records of one partition in what one read gave: nothing is copied, and nothing is made of a record before it is asked for. */
export class PackedBatch extends RawBatch {
  private size = -1;

  constructor(
    private readonly all: Columns,
    readonly topic: string,
    readonly partition: number,
    private readonly first: number,
    readonly length: number,
    readonly leaderEpoch: number,
  ) {
    super();
  }

  get bytes(): number {
    if (this.size < 0) this.size = this.measure();
    return this.size;
  }

  offsetAt(index: number): number {
    return this.all.offsets[this.first + index] as number;
  }

  timestampAt(index: number): number {
    return this.all.timestamps[this.first + index] as number;
  }

  keyAt(index: number): Buffer | null {
    const { bytes, keyPosition, keyLength } = this.all;
    const at = this.first + index;
    const length = keyLength[at] as number;
    const start = keyPosition[at] as number;
    return length < 0 ? null : bytes.subarray(start, start + length);
  }

  valueAt(index: number): Buffer | null {
    const length = this.all.valueLength[this.first + index] as number;
    const start = this.valueStart(index);
    return length < 0 ? null : this.all.bytes.subarray(start, start + length);
  }

  headersAt(index: number): Headers {
    const position = this.all.headerPosition[this.first + index] as number;
    return position < 0 ? NO_HEADERS : decodeHeaders(this.all.bytes, position);
  }

  override columns(): RecordColumns {
    const { bytes, keyPosition, keyLength, valueLength } = this.all;
    return { bytes, firstRow: this.first, keyPosition, keyLength, valueLength };
  }

  override hasKeyAt(index: number): boolean {
    return (this.all.keyLength[this.first + index] as number) >= 0;
  }

  override hasValueAt(index: number): boolean {
    return (this.all.valueLength[this.first + index] as number) >= 0;
  }

  override readKey<T>(index: number, serde: Serde<T>): T | null {
    const { keyPosition, keyLength } = this.all;
    const at = this.first + index;
    return this.read(keyPosition[at] as number, keyLength[at] as number, serde);
  }

  override readValue<T>(index: number, serde: Serde<T>): T | null {
    return this.read(this.valueStart(index), this.all.valueLength[this.first + index] as number, serde);
  }

  override passKey(index: number, outputs: OutputBatch): void {
    const { bytes, keyPosition, keyLength } = this.all;
    const at = this.first + index;
    const length = keyLength[at] as number;
    if (length >= 0) outputs.keyFrom(bytes, keyPosition[at] as number, length);
  }

  override passValue(index: number, outputs: OutputBatch): void {
    const length = this.all.valueLength[this.first + index] as number;
    if (length >= 0) outputs.valueFrom(this.all.bytes, this.valueStart(index), length);
  }

  override passHeaders(index: number, outputs: OutputBatch): void {
    const position = this.all.headerPosition[this.first + index] as number;
    if (position >= 0) outputs.headersFrom(this.all.bytes, position);
  }

  /** The value lies behind the key. */
  private valueStart(index: number): number {
    const { keyPosition, keyLength } = this.all;
    const at = this.first + index;
    return (keyPosition[at] as number) + Math.max(keyLength[at] as number, 0);
  }

  private read<T>(start: number, length: number, serde: Serde<T>): T | null {
    if (length < 0) return null;
    const { bytes } = this.all;
    return serde.deserializeAt ? serde.deserializeAt(bytes, start, start + length) : serde.deserialize(bytes.subarray(start, start + length));
  }

  private measure(): number {
    const { keyLength, valueLength } = this.all;
    let size = 0;
    for (let i = this.first; i < this.first + this.length; i++) size += Math.max(keyLength[i] as number, 0) + Math.max(valueLength[i] as number, 0);
    return size;
  }
}
