import type { Headers } from '../core/headers.js';
import { bytesOfLatin1, latin1Of } from '../core/latin1.js';
import { type RecordInit, StreamRecord } from '../core/record.js';
import type { Serde } from '../core/serde.js';
import { readTime, TIME_BYTES, writeTime } from '../runtime/stores/time-bytes.js';
import { msgpack } from '../serdes/msgpack.js';

/** Values as steps have them: bytes, bigints and all. */
const VALUES = msgpack('msgpack as bigint', true);

/** First byte of the row of a key: the output that waits. All that the changelog has. */
const PLACE = 'k';
/** First byte of the rows that say in which order outputs leave: made of the others after a restore. */
export const QUEUE = 'q';
/** A place, before the time of the output and the output. */
const PLACE_BYTES = 3 * TIME_BYTES;
/** Beside its key and value an output that waits takes about so many bytes, in its rows. */
const OVERHEAD = 64;

export const PLACES = Buffer.from(PLACE);
/** The row of the queue's state; the others that begin so are its stretches. */
export const QUEUE_ROW = Buffer.from(QUEUE);

/** Where an output waits. Keys are one character a byte. */
export interface Place {
  /** Stream time of its first update, in epoch milliseconds. */
  readonly since: number;
  /** Outputs leave in the order of these numbers, which is also that of `since`. */
  readonly number: number;
  /** What it counts for toward the bound. */
  readonly bytes: number;
}

export function placeRow(key: string): Buffer {
  return bytesOfLatin1(PLACE + key);
}

export function keyOfPlace(row: Buffer): string {
  return latin1Of(row, 1);
}

/** A stretch of the queue, by the number of its first output. */
export function stretchRow(first: number): Buffer {
  const row = Buffer.allocUnsafe(1 + TIME_BYTES);
  row.set(QUEUE_ROW);
  writeTime(first, row, 1);
  return row;
}

/** The place of an output, and then the output itself without its key. */
export function encodeOutput({ since, number, bytes }: Place, { value, timestamp, headers }: StreamRecord): Buffer {
  const named = headers.map((header) => [header.key, header.value]);
  const output = VALUES.serialize(named.length === 0 ? [value ?? null] : [value ?? null, named]);
  const row = Buffer.allocUnsafe(PLACE_BYTES + TIME_BYTES + output.length);
  writeTime(since, row, 0);
  writeTime(number, row, TIME_BYTES);
  writeTime(bytes, row, 2 * TIME_BYTES);
  writeTime(timestamp, row, PLACE_BYTES);
  row.set(output, PLACE_BYTES + TIME_BYTES);
  return row;
}

export function decodePlace(row: Buffer): Place {
  return { since: readTime(row, 0), number: readTime(row, TIME_BYTES), bytes: readTime(row, 2 * TIME_BYTES) };
}

/** The output with its key, and the origin and stream time of the record that lets it go, if one does. */
export function decodeOutput(key: string, row: Buffer, keys: Serde<unknown>, cause: StreamRecord | undefined): StreamRecord {
  const [value, headers = []] = VALUES.deserialize(row.subarray(PLACE_BYTES + TIME_BYTES)) as [unknown, [string, Uint8Array | null][]?];
  const timestamp = readTime(row, PLACE_BYTES);
  const init: RecordInit<unknown, unknown> = { key: keys.deserialize(bytesOfLatin1(key)), value, timestamp, headers: headersOf(headers) };
  const record = StreamRecord.of(init);
  return cause === undefined ? record : record.withOriginOf(cause);
}

/** The same of an output that no row has yet: equal to what a row would have given (B3). */
export function outputOf(key: string, record: StreamRecord, keys: Serde<unknown>, cause: StreamRecord | undefined): StreamRecord {
  const plain = cause !== undefined && typeof record.key === 'string' && isPlain(record.value);
  return plain ? record.withOriginOf(cause) : decodeOutput(key, encodeOutput({ since: 0, number: 0, bytes: 0 }, record), keys, cause);
}

/** Read from a row as it was. */
function isPlain(value: unknown): boolean {
  return value === null || typeof value === 'string' || (typeof value === 'number' && !Object.is(value, -0));
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
