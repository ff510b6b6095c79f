import { fixedWidth } from './fixed-width.js';

/** A signed integer in 4 bytes, big-endian: Kafka's IntegerSerializer. */
export const int32Serde = fixedWidth({
  format: 'int32',
  bytes: 4,
  expected: 'an integer of 32 bits',
  fits: (value) => typeof value === 'number' && (value | 0) === value,
  write: (bytes, value, at) => bytes.writeInt32BE(value, at),
  read: (bytes, at) => bytes.readInt32BE(at),
});
