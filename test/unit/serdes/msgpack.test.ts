import { decode, encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bigint64Serde } from '../../../src/serdes/int64.js';
import { msgpack } from '../../../src/serdes/msgpack.js';

const numbers = msgpack('msgpack', false);
const bigints = msgpack('msgpack as bigint', true);

describe('msgpack', () => {
  it('has the bytes of its specification, and others read them', () => {
    expect(numbers.serialize({ a: [1, -1, null, true, 1.5, 'é'] }).toString('hex')).toBe('81a16196' + '01ffc0c3cb3ff8000000000000a2c3a9');
    expect(decode(numbers.serialize({ a: 2 ** 40 }))).toEqual({ a: 2 ** 40 });
    expect(numbers.deserialize(Buffer.from(encode({ a: 2 ** 40 })))).toEqual({ a: 2 ** 40 });
  });

  it('keeps bytes as Buffers, and both signs of 64 bits as they are asked for', () => {
    const value = { bytes: Buffer.of(1, 0xd3, 0xcf), list: [Buffer.alloc(0)] };
    expect(numbers.deserialize(numbers.serialize(value))).toEqual(value);
    expect(numbers.deserialize(bigints.serialize({ a: [5n, -5n] }))).toEqual({ a: [5, -5] });
    expect(() => numbers.deserialize(bigints.serialize([2n ** 60n]))).toThrow('the int64 1152921504606846976 is beyond 2^53 − 1');
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }), (value) => {
        expect(bigints.deserialize(bigints.serialize(value))).toBe(value);
      }),
    );
    expect(() => numbers.serialize(1n)).toThrow();
  });

  it('refuses what it has no bytes for, and bytes that are none of its own', () => {
    expect(() => numbers.serialize(undefined)).toThrow('expected a value that MessagePack can write, got undefined');
    expect(() => numbers.serialize(() => 1)).toThrow('expected a value that MessagePack can write');
    expect(() => numbers.deserialize(Buffer.of(0xc1))).toThrow('the bytes are not MessagePack');
    expect(() => numbers.deserialize(Buffer.of(0x92, 1))).toThrow('the bytes are not MessagePack');
    expect(() => numbers.deserialize(Buffer.of(1, 1))).toThrow();
    expect(() => numbers.deserialize(Buffer.alloc(0))).toThrow('the bytes are not MessagePack');
  });
});

describe('int64 as bigint', () => {
  it('holds every integer of 64 bits, and numbers that are whole', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        expect(bigint64Serde.deserialize(bigint64Serde.serialize(value))).toBe(value);
      }),
    );
    expect(bigint64Serde.serialize(-2).toString('hex')).toBe('fffffffffffffffe');
    for (const value of [1.5, 2 ** 53, '1', 2n ** 63n]) expect(() => bigint64Serde.serialize(value as never)).toThrow('expected an integer of 64 bits');
    expect(() => bigint64Serde.deserialize(Buffer.alloc(7))).toThrow('int64 takes 8 bytes, got 7');
  });
});
