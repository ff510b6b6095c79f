import type { Serde } from '../core/serde.js';
import { mismatch, wrongLength } from './mismatch.js';

/** A number format whose values all have the same length. */
interface FixedWidth {
  readonly format: string;
  readonly bytes: number;
  /** Values that the format holds, in words for messages. */
  readonly expected: string;
  readonly fits: (value: unknown) => boolean;
  readonly write: (bytes: Buffer, value: number, at: number) => void;
  /** May throw for bytes that no number can hold exactly. */
  readonly read: (bytes: Buffer, at: number) => number;
}

/** Makes a serde. A batch is written into one piece of memory, each value a view of it. */
export function fixedWidth({ format, bytes: width, expected, fits, write, read }: FixedWidth): Serde<number> {
  const checkNumber = (value: number): void => {
    if (!fits(value)) throw mismatch(expected, value);
  };
  const deserializeAt = (bytes: Buffer, start: number, end: number): number => {
    if (end - start !== width) throw wrongLength(format, width, end - start);
    return read(bytes, start);
  };
  const deserialize = (bytes: Buffer): number => deserializeAt(bytes, 0, bytes.length);
  return {
    format,
    checkNumber,
    serialize(value) {
      checkNumber(value);
      const bytes = Buffer.allocUnsafe(width);
      write(bytes, value, 0);
      return bytes;
    },
    deserialize,
    deserializeAt,
    serializeInto(value, target, at) {
      checkNumber(value);
      if (at + width > target.length) return -1;
      write(target, value, at);
      return at + width;
    },
    serializeBatch(values) {
      const slab = Buffer.allocUnsafeSlow(width * values.length);
      return values.map((value, i) => {
        if (value === null) return null;
        checkNumber(value);
        write(slab, value, i * width);
        return slab.subarray(i * width, (i + 1) * width);
      });
    },
    deserializeBatch: (all) => all.map((bytes) => (bytes === null ? null : deserialize(bytes))),
  };
}
