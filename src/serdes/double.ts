import { fixedWidth } from './fixed-width.js';

/** An IEEE 754 number in 8 bytes, big-endian: Kafka's DoubleSerializer. NaN and the infinities are values. */
export const doubleSerde = fixedWidth({
  format: 'double',
  bytes: 8,
  expected: 'a number',
  fits: (value) => typeof value === 'number',
  write: (bytes, value, at) => bytes.writeDoubleBE(value, at),
  read: (bytes, at) => bytes.readDoubleBE(at),
});
