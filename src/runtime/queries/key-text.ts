import { messageOf } from '../../core/errors.js';
import { bytesOfLatin1, latin1Of } from '../../core/latin1.js';
import type { Serde } from '../../core/serde.js';

const BASE64 = /^[A-Za-z0-9_+/-]*={0,2}$/;
const INTEGER = /^-?\d{1,20}$/;
const NUMBER = /^(?:-?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|NaN|-?Infinity)$/;

/** Formats whose keys are written as they are; those of others are JSON. */
const PLAIN = new Set(['string', 'int32', 'int64', 'int64 as bigint', 'double']);

/** How keys of a format are written in a URL and on a command line. */
export function keyForm(format: string): string {
  const known: Readonly<Record<string, string>> = {
    string: 'text as it is',
    bytes: 'base64 or base64url',
    int32: 'an integer of 32 bits',
    int64: 'an integer',
    'int64 as bigint': 'an integer of 64 bits',
    double: 'a number',
  };
  return known[format] ?? `a ${format} key as JSON`;
}

/** The store's bytes for a key as people write it, one latin1 character a byte. Throws a TypeError that says what was expected. */
export function parseKey(text: string, serde: Serde<unknown>): string {
  try {
    return latin1Of(serde.serialize(parsedText(text, serde.format)));
  } catch (error) {
    throw new TypeError(`"${text}" is no key of this store: keys are ${keyForm(serde.format)} (${messageOf(error)})`, { cause: error });
  }
}

function parsedText(text: string, format: string): unknown {
  switch (format) {
    case 'string':
      return text;
    case 'bytes':
      // Node passes over a last character that stands for no byte.
      if (!BASE64.test(text) || text.replace(/=+$/, '').length % 4 === 1) throw new TypeError('this is no base64');
      return Buffer.from(text, 'base64url');
    case 'int64 as bigint':
      if (!INTEGER.test(text)) throw new TypeError('this is no integer');
      return BigInt(text);
    case 'int32':
    case 'int64':
      if (!INTEGER.test(text)) throw new TypeError('this is no integer');
      return Number(text);
    case 'double':
      if (!NUMBER.test(text)) throw new TypeError('this is no number');
      return Number(text);
    default:
      return JSON.parse(text);
  }
}

/** A key as `parseKey` reads it. */
export function keyText(key: string, serde: Serde<unknown>): string {
  const bytes = bytesOfLatin1(key);
  if (serde.format === 'bytes') return bytes.toString('base64url');
  if (serde.format === 'json') return bytes.toString();
  const value = serde.deserialize(bytes);
  if (Object.is(value, -0)) return '-0'; // other bytes than 0
  return PLAIN.has(serde.format) ? String(value) : JSON.stringify(jsonOf(value));
}

/** A key in an answer: JSON, where `keyText` is text. Of doubles what JSON would lose is text: NaN, the infinities, and −0, whose bytes are not those of 0. */
export function keyJson(key: string, serde: Serde<unknown>): unknown {
  if (serde.format === 'bytes') return keyText(key, serde);
  const value = serde.deserialize(bytesOfLatin1(key));
  return serde.format === 'double' && Object.is(value, -0) ? '-0' : jsonOf(value);
}

/**
 * What JSON has for a value: bigints as text in decimal, bytes as base64, dates as ISO 8601, numbers that are none as text, maps as
 * objects, sets as lists.
 */
export function jsonOf(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value !== 'object' || value === null) return value;
  if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64');
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (Array.isArray(value) || value instanceof Set) return Array.from(value, jsonOf);
  const entries = value instanceof Map ? [...value] : Object.entries(value);
  return Object.fromEntries(entries.map(([name, one]) => [String(name), jsonOf(one)]));
}
