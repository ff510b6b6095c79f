import type { Serde } from '../core/serde.js';
import { mismatch, wrongLength } from './mismatch.js';

/** A signed integer in 4 bytes, big-endian: Kafka's IntegerSerializer. */
export const int32Serde: Serde<number> = {
  format: 'int32',
  checkNumber(value) {
    if (typeof value !== 'number' || (value | 0) !== value) throw mismatch('an integer of 32 bits', value);
  },
  serialize(value) {
    int32Serde.checkNumber?.(value);
    const bytes = Buffer.allocUnsafe(4);
    bytes.writeInt32BE(value);
    return bytes;
  },
  deserialize(bytes) {
    if (bytes.length !== 4) throw wrongLength('int32', 4, bytes);
    return bytes.readInt32BE();
  },
};
