import { DecodeError, Decoder, Encoder } from '@msgpack/msgpack';
import type { Serde } from '../core/serde.js';
import { beyondNumbers } from './integer64.js';
import { mismatch } from './mismatch.js';
import { written } from './slab.js';

/** First bytes of 64-bit integers. */
const UINT64 = 0xcf;
const INT64 = 0xd3;

/**
 * One MessagePack value, bytes as Buffers. Integers of 64 bits read as numbers and fail beyond 2^53 − 1, or read as
 * bigints; with bigints, only these are written with 64 bits, and whole numbers beyond 2^32 as doubles.
 */
export function msgpack(format: string, bigint: boolean): Serde<unknown> {
  const encoder = new Encoder({ useBigInt64: bigint, ignoreUndefined: true });
  const decoder = new Decoder({ useBigInt64: true });
  const writeInto = (value: unknown, target: Buffer, at: number): number => {
    if (value === undefined || typeof value === 'function' || typeof value === 'symbol') throw mismatch('a value that MessagePack can write', value);
    const bytes = encoder.encodeSharedRef(value);
    if (bytes.length > target.length - at) return -1;
    target.set(bytes, at);
    return at + bytes.length;
  };
  const deserialize = (bytes: Buffer): unknown => {
    const value = decoded(decoder, bytes);
    const wide = !bigint && (bytes.includes(UINT64) || bytes.includes(INT64));
    return wide ? withNumbers(value) : value;
  };
  return { format, ...written(writeInto), deserialize };
}

function decoded(decoder: Decoder, bytes: Buffer): unknown {
  try {
    return decoder.decode(bytes);
  } catch (error) {
    if (error instanceof DecodeError || error instanceof RangeError) throw new TypeError(`the bytes are not MessagePack: ${error.message}`);
    throw error;
  }
}

/** The same with numbers for bigints; the value is our own, and changed in place. */
function withNumbers(value: unknown): unknown {
  if (typeof value === 'bigint') {
    if (value === BigInt.asIntN(54, value) && Number.isSafeInteger(Number(value))) return Number(value);
    throw beyondNumbers(value);
  }
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  const fields = value as Record<string, unknown>;
  for (const key of Object.keys(fields)) fields[key] = withNumbers(fields[key]);
  return value;
}
