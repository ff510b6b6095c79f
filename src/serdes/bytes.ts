import type { Serde } from '../core/serde.js';
import { mismatch } from './mismatch.js';

/** Bytes as they are: Buffers in and out, never copied. */
export const bytesSerde: Serde<Buffer> = {
  format: 'bytes',
  serialize(value) {
    if (Buffer.isBuffer(value)) return value;
    throw mismatch('a Buffer', value);
  },
  deserialize: (bytes) => bytes,
};
