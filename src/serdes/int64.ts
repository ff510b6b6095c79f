import type { Serde } from '../core/serde.js';
import { mismatch, wrongLength } from './mismatch.js';

const HALF = 2 ** 32;

/**
 * A signed integer in 8 bytes, big-endian: Kafka's LongSerializer. Reads as a number; what a number cannot hold
 * exactly, beyond ±(2^53 − 1), is an error both ways.
 */
export const int64Serde: Serde<number> = {
  format: 'int64',
  checkNumber(value) {
    if (!Number.isSafeInteger(value)) throw mismatch('an integer between −(2^53 − 1) and 2^53 − 1', value);
  },
  serialize(value) {
    int64Serde.checkNumber?.(value);
    const bytes = Buffer.allocUnsafe(8);
    write32(bytes, Math.floor(value / HALF), 0);
    write32(bytes, value, 4);
    return bytes;
  },
  deserialize(bytes) {
    if (bytes.length !== 8) throw wrongLength('int64', 8, bytes);
    const value = read32(bytes, 0) * HALF + (read32(bytes, 4) >>> 0);
    if (!Number.isSafeInteger(value))
      throw new RangeError(`the int64 ${bytes.readBigInt64BE()} is beyond 2^53 − 1, the largest integer that a number holds exactly`);
    return value;
  },
};

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
