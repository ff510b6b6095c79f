import type { Serde } from '../core/serde.js';
import { mismatch } from './mismatch.js';

/** A key with its window, in epoch milliseconds. */
export interface WindowedKey<K> {
  readonly key: K;
  readonly window: {
    readonly start: number;
    /** Undefined for a time window whose size is not known. */
    readonly end?: number | undefined;
  };
}

const TIME_BYTES = 8;

/** The name of the format of such keys. */
export function windowedName({ inner, size, session }: { inner: string; size: number | undefined; session: boolean }): string {
  return session ? `session-windowed ${inner}` : `windowed ${inner}${size === undefined ? '' : ` of ${size} ms`}`;
}

/**
 * Kafka Streams' TimeWindowedSerializer: the key, then the window's start. `size` in milliseconds gives the end to
 * windows that are read, and is checked in those that are written.
 */
export function timeWindowed<K>(inner: Serde<K>, size: number | undefined): Serde<WindowedKey<K>> {
  const deserializeAt = (bytes: Buffer, from: number, to: number): WindowedKey<K> => {
    const start = timeAt(bytes, from, to, TIME_BYTES);
    const key = keyOf(inner, bytes, from, to - TIME_BYTES);
    return { key, window: size === undefined ? { start } : { start, end: start + size } };
  };
  return {
    format: windowedName({ inner: inner.format, size, session: false }),
    serialize(value) {
      const { key, start, end } = partsOf(value);
      if (size !== undefined && end !== undefined && end - start !== size) throw mismatch(`a window of ${size} ms`, end - start);
      return Buffer.concat([inner.serialize(key as K), timeBytes(start)]);
    },
    deserialize: (bytes) => deserializeAt(bytes, 0, bytes.length),
    deserializeAt,
    ...preparing(inner, TIME_BYTES),
  };
}

/** Kafka Streams' SessionWindowedSerializer: the key, then the session's end, then its start. */
export function sessionWindowed<K>(inner: Serde<K>): Serde<WindowedKey<K>> {
  const deserializeAt = (bytes: Buffer, from: number, to: number): WindowedKey<K> => {
    const end = timeAt(bytes, from, to, 2 * TIME_BYTES);
    const start = timeAt(bytes, from, to, TIME_BYTES);
    return { key: keyOf(inner, bytes, from, to - 2 * TIME_BYTES), window: { start, end } };
  };
  return {
    format: windowedName({ inner: inner.format, size: undefined, session: true }),
    serialize(value) {
      const { key, start, end } = partsOf(value);
      if (end === undefined || end < start) throw mismatch('a session that ends when it starts or later', end);
      return Buffer.concat([inner.serialize(key as K), timeBytes(end), timeBytes(start)]);
    },
    deserialize: (bytes) => deserializeAt(bytes, 0, bytes.length),
    deserializeAt,
    ...preparing(inner, 2 * TIME_BYTES),
  };
}

/** What the key inside needs first; `after` bytes follow it. */
function preparing<K>(inner: Serde<K>, after: number): Pick<Serde<unknown>, 'prepare'> {
  return inner.prepare === undefined ? {} : { prepare: (bytes, start, end) => inner.prepare?.(bytes, start, end - after) };
}

function partsOf(value: unknown): { key: unknown; start: number; end: number | undefined } {
  const { key, window } = (value ?? {}) as { key?: unknown; window?: { start?: unknown; end?: unknown } };
  const { start, end } = window ?? {};
  const sound = key !== undefined && key !== null && isTime(start) && (end === undefined || isTime(end));
  if (sound) return { key, start: start as number, end: end as number | undefined };
  throw mismatch('{ key, window: { start, end } } with times in epoch milliseconds', value);
}

function isTime(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function timeBytes(time: number): Buffer {
  const bytes = Buffer.allocUnsafe(TIME_BYTES);
  bytes.writeBigInt64BE(BigInt(time));
  return bytes;
}

/** The time that begins so many bytes before the end of the key. */
function timeAt(bytes: Buffer, from: number, to: number, before: number): number {
  if (to - before < from) throw new RangeError(`a windowed key ends with its window’s times, and ${to - from} bytes are too few`);
  const time = Number(bytes.readBigInt64BE(to - before));
  if (isTime(time)) return time;
  throw new RangeError('the window’s times are not epoch milliseconds');
}

function keyOf<K>(inner: Serde<K>, bytes: Buffer, start: number, end: number): K {
  return inner.deserializeAt ? inner.deserializeAt(bytes, start, end) : inner.deserialize(bytes.subarray(start, end));
}
