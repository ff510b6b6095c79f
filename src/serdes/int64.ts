import type { Serde } from '../core/serde.js';
import { fixedWidth } from './fixed-width.js';
import { beyondNumbers } from './integer64.js';
import { mismatch, wrongLength } from './mismatch.js';

const HALF = 2 ** 32;

/**
 * A signed integer in 8 bytes, big-endian: Kafka's LongSerializer. Reads as a number; what a number cannot hold
 * exactly, beyond ±(2^53 − 1), is an error both ways.
 */
export const int64Serde = fixedWidth({
  format: 'int64',
  bytes: 8,
  expected: 'an integer between −(2^53 − 1) and 2^53 − 1',
  fits: Number.isSafeInteger,
  write(bytes, value, at) {
    write32(bytes, Math.floor(value / HALF), at);
    write32(bytes, value, at + 4);
  },
  read(bytes, at) {
    const value = read32(bytes, at) * HALF + (read32(bytes, at + 4) >>> 0);
    if (Number.isSafeInteger(value)) return value;
    throw beyondNumbers(bytes.readBigInt64BE(at));
  },
});

/** The same with bigints; writes numbers too, as far as they are whole and exact. */
export const bigint64Serde: Serde<bigint | number> = {
  format: 'int64 as bigint',
  serialize(value) {
    const bytes = Buffer.allocUnsafe(8);
    bytes.writeBigInt64BE(wholeOf(value));
    return bytes;
  },
  deserialize: (bytes) => bigintAt(bytes, 0, bytes.length),
  deserializeAt: bigintAt,
};

function bigintAt(bytes: Buffer, start: number, end: number): bigint {
  if (end - start !== 8) throw wrongLength('int64', 8, end - start);
  return bytes.readBigInt64BE(start);
}

function wholeOf(value: unknown): bigint {
  const whole = typeof value === 'bigint' ? value : Number.isSafeInteger(value) ? BigInt(value as number) : undefined;
  if (whole !== undefined && whole === BigInt.asIntN(64, whole)) return whole;
  throw mismatch('an integer of 64 bits', value);
}

/** The low 32 bits of `value`, in two's complement; by hand, twice as fast as writeInt32BE with its checks. */
function write32(bytes: Buffer, value: number, at: number): void {
  const bits = value | 0;
  bytes[at] = bits >>> 24;
  bytes[at + 1] = bits >>> 16;
  bytes[at + 2] = bits >>> 8;
  bytes[at + 3] = bits;
}

function read32(bytes: Buffer, at: number): number {
  return ((bytes[at] as number) << 24) | ((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number);
}
