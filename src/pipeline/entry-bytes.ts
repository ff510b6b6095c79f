import { messageOf } from '../core/errors.js';
import type { Serde } from '../core/serde.js';
import type { StoreEntry } from './model.js';

/** One side of an entry as steps have it, and as its format writes it. */
export interface Written {
  readonly data: unknown;
  readonly bytes: Buffer;
}

type Keyed = Pick<StoreEntry, 'key' | 'keyText'>;

/** The key as a format has it: text where that is what the format writes, else as YAML types it. */
export function keyFor(format: string, { key, keyText }: Keyed): unknown {
  return format === 'string' ? (keyText ?? key) : key;
}

/** Throws a TypeError that says what the format wants. */
export function writeKey(entry: Keyed, serde: Serde<unknown>): Written {
  return write(keyFor(serde.format, entry), serde);
}

/** Throws a TypeError that says what the format wants. */
export function writeValue({ value }: Pick<StoreEntry, 'value'>, serde: Serde<unknown>): Written {
  return write(value, serde);
}

/** YAML has no bytes: text stands for its UTF-8. */
function write(written: unknown, serde: Serde<unknown>): Written {
  const data = serde.format === 'bytes' && typeof written === 'string' ? Buffer.from(written) : written;
  return { data, bytes: serde.serialize(data) };
}

/** `the value of "card1" in "velocity" is not int64: expected …`, which `write` threw. */
export function unwritable(field: 'key' | 'value', { key, keyText }: StoreEntry, store: string, serde: Serde<unknown>, error: unknown): string {
  const entry = keyText ?? (typeof key === 'string' ? key : JSON.stringify(key));
  const what = field === 'key' ? `the key ${JSON.stringify(entry)}` : `the value of ${JSON.stringify(entry)}`;
  return `${what} in "${store}" is not ${serde.format}: ${messageOf(error)}`;
}
