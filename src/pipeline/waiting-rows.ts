import type { Headers } from '../core/headers.js';
import { bytesOfLatin1, latin1Of } from '../core/latin1.js';
import { type RecordInit, StreamRecord } from '../core/record.js';
import type { Serde } from '../core/serde.js';
import { readTime, TIME_BYTES, writeTime } from '../runtime/stores/time-bytes.js';
import { msgpack } from '../serdes/msgpack.js';

/** Values as steps have them: bytes, bigints and all. */
const VALUES = msgpack('msgpack as bigint', true);

/** First bytes of the rows: where a key waits, what waits in the order of time, and the sums. */
const PLACE = 'k';
const QUEUE = 'q';
const SUMS = Buffer.from('s');
const NUL = Buffer.alloc(1);
/** Beside its key and value an output that waits takes about so many bytes, in its rows. */
const OVERHEAD = 64;

const QUEUE_START = Buffer.from(QUEUE);
/** Behind the rows of outputs that wait, oldest first. */
export const QUEUE_END = Buffer.from('r');
export const SUMS_ROW = SUMS;

/** Where an output waits. Keys are one character a byte. */
export interface Place {
  /** Stream time of its first update, in epoch milliseconds. */
  readonly since: number;
  /** Number of the output among all that ever waited: none waits before one with a lower number. */
  readonly number: number;
  readonly bytes: number;
}

/** Of all outputs that wait. */
export interface Sums {
  /** `since` of the oldest; undefined when none waits. */
  readonly oldest: number | undefined;
  /** `since` of the newest that ever waited. */
  readonly newest: number;
  /** The last number given. */
  readonly number: number;
  readonly bytes: number;
}

export function placeRow(key: string): Buffer {
  return bytesOfLatin1(PLACE + key);
}

export function encodePlace({ since, number, bytes }: Place): Buffer {
  return times(since, number, bytes);
}

export function decodePlace(row: Buffer): Place {
  return { since: readTime(row, 0), number: readTime(row, TIME_BYTES), bytes: readTime(row, 2 * TIME_BYTES) };
}

/** In the byte order of these rows outputs leave. */
export function queueRow(key: string, { since, number }: Place): Buffer {
  return Buffer.concat([QUEUE_START, times(since, number), bytesOfLatin1(key)]);
}

/** Before the rows of outputs that wait since then or later. */
export function queueFrom(since: number): Buffer {
  return Buffer.concat([QUEUE_START, times(since)]);
}

/** The first row that could follow. */
export function afterRow(row: Buffer): Buffer {
  return Buffer.concat([row, NUL]);
}

export function decodeQueueRow(row: Buffer): { readonly key: string; readonly since: number; readonly number: number } {
  return { since: readTime(row, 1), number: readTime(row, 1 + TIME_BYTES), key: latin1Of(row, 1 + 2 * TIME_BYTES) };
}

export function encodeSums({ oldest, newest, number, bytes }: Sums): Buffer {
  return times(oldest === undefined ? 0 : oldest + 1, newest, number, bytes);
}

export function decodeSums(row: Buffer | null): Sums {
  if (row === null) return { oldest: undefined, newest: 0, number: 0, bytes: 0 };
  const oldest = readTime(row, 0);
  return {
    oldest: oldest === 0 ? undefined : oldest - 1,
    newest: readTime(row, TIME_BYTES),
    number: readTime(row, 2 * TIME_BYTES),
    bytes: readTime(row, 3 * TIME_BYTES),
  };
}

/** The row of an output in the queue: what it counts for, then the output itself without its key. */
export function encodeOutput(record: StreamRecord, bytes: number): Buffer {
  const headers = record.headers.map(({ key, value }) => [key, value]);
  return Buffer.concat([times(bytes), VALUES.serialize([record.value ?? null, record.timestamp, headers])]);
}

export function bytesOfOutput(row: Buffer): number {
  return readTime(row, 0);
}

/** The output with its key, and the origin and stream time of the record that lets it go, if one does. */
export function decodeOutput(key: string, row: Buffer, keys: Serde<unknown>, cause: StreamRecord | undefined): StreamRecord {
  const [value, timestamp, headers] = VALUES.deserialize(row.subarray(TIME_BYTES)) as [unknown, number, [string, Uint8Array | null][]];
  const init: RecordInit<unknown, unknown> = { key: keys.deserialize(bytesOfLatin1(key)), value, timestamp: Number(timestamp), headers: headersOf(headers) };
  const record = StreamRecord.of(init);
  return cause === undefined ? record : record.withOriginOf(cause);
}

function headersOf(pairs: readonly [string, Uint8Array | null][]): Headers {
  return pairs.map(([key, value]) => ({ key, value: value && Buffer.from(value) }));
}

/** What an update counts for toward the bound: the same in whatever batch it comes. */
export function weightOf(key: string, { value, headers }: StreamRecord): number {
  const named = headers.reduce((sum, header) => sum + header.key.length + (header.value?.length ?? 0), 0);
  return OVERHEAD + key.length + named + sizeOf(value);
}

function sizeOf(value: unknown): number {
  if (typeof value === 'string' || Buffer.isBuffer(value)) return value.length;
  if (typeof value !== 'object' || value === null) return TIME_BYTES;
  return VALUES.serialize(value).length;
}

function times(...all: readonly number[]): Buffer {
  const row = Buffer.allocUnsafe(all.length * TIME_BYTES);
  for (const [i, time] of all.entries()) writeTime(time, row, i * TIME_BYTES);
  return row;
}
