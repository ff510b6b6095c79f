import { fixedWidth } from './fixed-width.js';

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
  read(bytes) {
    const value = read32(bytes, 0) * HALF + (read32(bytes, 4) >>> 0);
    if (Number.isSafeInteger(value)) return value;
    throw new RangeError(`the int64 ${bytes.readBigInt64BE()} is beyond 2^53 − 1, the largest integer that a number holds exactly`);
  },
});

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
