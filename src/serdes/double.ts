import type { Serde } from '../core/serde.js';
import { mismatch, wrongLength } from './mismatch.js';

/** An IEEE 754 number in 8 bytes, big-endian: Kafka's DoubleSerializer. NaN and the infinities are values. */
export const doubleSerde: Serde<number> = {
  format: 'double',
  checkNumber(value) {
    if (typeof value !== 'number') throw mismatch('a number', value);
  },
  serialize(value) {
    doubleSerde.checkNumber?.(value);
    const bytes = Buffer.allocUnsafe(8);
    bytes.writeDoubleBE(value);
    return bytes;
  },
  deserialize(bytes) {
    if (bytes.length !== 8) throw wrongLength('double', 8, bytes);
    return bytes.readDoubleBE();
  },
};
