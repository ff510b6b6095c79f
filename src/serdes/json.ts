import type { Serde } from '../core/serde.js';
import { mismatch } from './mismatch.js';
import { decodeUtf8, encodeUtf8, encodeUtf8Into } from './utf8.js';

/**
 * One JSON value as UTF-8. What JSON has no text for is an error: undefined, a function, NaN, an infinity, a bigint, a
 * cycle. Properties that are undefined are left out, as JSON.stringify does.
 */
export const jsonSerde: Serde<unknown> = {
  format: 'json',
  serialize: (value) => encodeUtf8(textOf(value)),
  serializeInto: (value, target, at) => encodeUtf8Into(textOf(value), target, at),
  deserialize: (bytes) => JSON.parse(decodeUtf8(bytes)),
  deserializeAt: (bytes, start, end) => JSON.parse(decodeUtf8(bytes, start, end)),
};

function textOf(value: unknown): string {
  const text = JSON.stringify(value);
  if (text === undefined) throw mismatch('a JSON value', value);
  // JSON.stringify writes `null` for NaN and the infinities; only texts that hold a null can hide one.
  if (text.includes('null')) JSON.stringify(value, refuseNonFinite);
  return text;
}

function refuseNonFinite(_key: string, value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) throw mismatch('a number that JSON can write', value);
  return value;
}
