import { KstreamdError, messageOf, StoreError } from '../../core/errors.js';
import { bytesOfLatin1, latin1Of } from '../../core/latin1.js';
import type { Serde } from '../../core/serde.js';
import type { Held } from '../buffer-entry.js';

/** Keys and values of one store, between what its users see and what the write buffer keeps. */
export class StoreCodec<K = unknown, V = unknown> {
  constructor(
    readonly store: string,
    private readonly keys: Serde<unknown>,
    private readonly values: Serde<unknown>,
  ) {}

  encodeKey(key: K): string {
    if (key === null || key === undefined) throw new TypeError(`store ${this.store}: a key must not be ${key}`);
    return this.keys.latin1 ? this.keys.latin1(key) : latin1Of(this.keys.serialize(key));
  }

  /** Bytes that are the value itself are copied, so that what the caller does to them later does not reach the store. */
  encode(value: V | null): Held {
    if (value === null) return null;
    if (this.values.checkNumber) {
      this.values.checkNumber(value);
      return value as number;
    }
    const bytes = this.values.serialize(value);
    return (bytes as unknown) === value ? Buffer.from(bytes) : bytes;
  }

  /** The same where the buffer keeps no numbers. */
  encodeBytes(value: V | null): Buffer | null {
    if (value === null) return null;
    const bytes = this.values.serialize(value);
    return (bytes as unknown) === value ? Buffer.from(bytes) : bytes;
  }

  decodeKey(key: string | Buffer): K {
    const bytes = typeof key === 'string' ? bytesOfLatin1(key) : key;
    try {
      return this.keys.deserialize(bytes) as K;
    } catch (cause) {
      throw this.unreadable('key', this.keys.format, cause);
    }
  }

  decode(held: Held): V | null {
    if (held === null || typeof held === 'number') return held as V | null;
    const bytes = held as Buffer; // where bytes are deferred, what is decoded is a part of them
    try {
      const value = this.values.deserialize(bytes);
      return (value === bytes ? Buffer.from(bytes) : value) as V;
    } catch (cause) {
      throw this.unreadable('value', this.values.format, cause);
    }
  }

  decodeAll(bytes: readonly Held[]): (V | null)[] {
    const values: (V | null)[] = [];
    for (let i = 0; i < bytes.length; i++) values.push(this.decode(bytes[i] as Held));
    return values;
  }

  /** A table says itself what its bytes lack. */
  private unreadable(field: string, format: string, cause: unknown): KstreamdError {
    if (cause instanceof KstreamdError) return cause;
    return new StoreError('store/format', `store ${this.store} holds a ${field} that is not ${format}: ${messageOf(cause)}`, {
      cause,
      fix: 'declare the format the store was written with, or remove its state to start from nothing',
    });
  }
}
