import { latin1Of } from '../core/latin1.js';
import type { Serde } from '../core/serde.js';
import { mismatch } from './mismatch.js';
import { decodeUtf8, encodeUtf8, encodeUtf8Into } from './utf8.js';

/** Text as UTF-8, strictly: bytes that are not UTF-8 do not deserialize. */
export const stringSerde: Serde<string> = {
  format: 'string',
  serialize(value) {
    if (typeof value !== 'string') throw mismatch('a string', value);
    return encodeUtf8(value);
  },
  deserialize: (bytes) => decodeUtf8(bytes),
  deserializeAt: decodeUtf8,
  serializeInto(value, target, at) {
    if (typeof value !== 'string') throw mismatch('a string', value);
    return encodeUtf8Into(value, target, at);
  },
  latin1(value) {
    if (typeof value !== 'string') throw mismatch('a string', value);
    for (let i = 0; i < value.length; i++) if (value.charCodeAt(i) > 0x7f) return latin1Of(encodeUtf8(value));
    return value;
  },
};
