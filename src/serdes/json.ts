import type { Serde } from '../core/serde.js';
import { mismatch } from './mismatch.js';
import { decodeUtf8, encodeUtf8 } from './utf8.js';

/**
 * One JSON value as UTF-8. What JSON has no text for is an error: undefined, a function, NaN, an infinity, a bigint, a
 * cycle. Properties that are undefined are left out, as JSON.stringify does.
 */
export const jsonSerde: Serde<unknown> = {
  format: 'json',
  serialize(value) {
    const text = JSON.stringify(value);
    if (text === undefined) throw mismatch('a JSON value', value);
    // JSON.stringify writes `null` for NaN and the infinities; only texts that hold a null can hide one.
    if (text.includes('null')) JSON.stringify(value, refuseNonFinite);
    return encodeUtf8(text);
  },
  deserialize: (bytes) => JSON.parse(decodeUtf8(bytes)),
};

function refuseNonFinite(_key: string, value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) throw mismatch('a number that JSON can write', value);
  return value;
}
