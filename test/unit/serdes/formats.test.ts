import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { latin1Of } from '../../../src/core/latin1.js';
import { formatNames, serdeFor } from '../../../src/serdes/formats.js';

const serde = (name: string) => {
  const found = serdeFor(name);
  if (!found) throw new Error(`no format ${name}`);
  return found;
};

/** Reads a value that lies between other bytes. */
function readAmong(name: string, bytes: Buffer, before: number): unknown {
  const { deserialize, deserializeAt } = serde(name);
  const slab = Buffer.concat([Buffer.alloc(before, 0xff), bytes, Buffer.alloc(9, 0xff)]);
  const end = before + bytes.length;
  return deserializeAt ? deserializeAt(slab, before, end) : deserialize(slab.subarray(before, end));
}

const values: Record<string, fc.Arbitrary<unknown>> = {
  string: fc.string({ unit: 'binary' }),
  json: fc.jsonValue().filter((value) => value !== null),
  bytes: fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  int32: fc.integer(),
  int64: fc.maxSafeInteger(),
  double: fc.double(),
  msgpack: fc
    .jsonValue()
    .map((value) => JSON.parse(JSON.stringify(value)))
    .filter((value) => value !== null && !JSON.stringify(value).includes('__proto__')),
};

describe('formats', () => {
  it('are known by name, others are not', () => {
    expect(formatNames).toEqual(['string', 'json', 'bytes', 'int32', 'int64', 'double', 'msgpack', 'avro', 'protobuf', 'json-schema']);
    expect(serdeFor('avro')).toBeUndefined();
    expect(serdeFor('constructor')).toBeUndefined();
  });

  it.each(Object.keys(values))('%s gives back what it wrote', (name) => {
    const { serialize, deserialize, latin1 } = serde(name);
    fc.assert(
      fc.property(values[name] as fc.Arbitrary<unknown>, fc.nat(9), (value, before) => {
        const bytes = serialize(value);
        expect(deserialize(bytes)).toEqual(name === 'json' ? JSON.parse(JSON.stringify(value)) : value);
        expect(readAmong(name, bytes, before)).toEqual(deserialize(bytes));
        if (latin1) expect(latin1(value)).toBe(latin1Of(bytes));
      }),
    );
  });

  it.each([
    ['string', 'ключ', 'd0bad0bbd18ed187'],
    ['int32', 1, '00000001'],
    ['int32', -2, 'fffffffe'],
    ['int64', 1, '0000000000000001'],
    ['int64', -1, 'ffffffffffffffff'],
    ['int64', -(2 ** 32), 'ffffffff00000000'],
    ['int64', Number.MAX_SAFE_INTEGER, '001fffffffffffff'],
    ['double', 1.5, '3ff8000000000000'],
    ['json', { a: [1, null] }, '7b2261223a5b312c6e756c6c5d7d'],
  ])('%s has Kafka’s bytes for %j', (name, value, hex) => {
    expect(serde(name).serialize(value).toString('hex')).toBe(hex);
    expect(serde(name).deserialize(Buffer.from(hex, 'hex'))).toEqual(value);
  });

  it('keeps empty text as empty bytes, not as null', () => {
    expect(serde('string').serialize('')).toEqual(Buffer.alloc(0));
    expect(serde('string').deserialize(Buffer.alloc(0))).toBe('');
  });

  it.each([
    ['string', 5, 'expected a string, got the number 5'],
    ['string', '\ud800', 'half of a surrogate pair'],
    ['json', undefined, 'expected a JSON value, got undefined'],
    ['json', () => 1, 'expected a JSON value, got a function'],
    ['json', { a: [Number.NaN] }, 'expected a number that JSON can write, got the number NaN'],
    ['json', 5n, 'BigInt'],
    ['bytes', 'text', 'expected a Buffer, got the string "text"'],
    ['int32', 2 ** 31, 'expected an integer of 32 bits, got the number 2147483648'],
    ['int64', 1.5, 'got the number 1.5'],
    ['int64', 2 ** 53, 'got the number 9007199254740992'],
    ['int64', '5', 'got the string "5"'],
    ['double', {}, 'expected a number, got an object'],
  ])('%s does not write %s', (name, value, message) => {
    const { serialize, latin1 } = serde(name);
    expect(() => serialize(value)).toThrow(message);
    expect(() => serialize(value)).toThrow(TypeError);
    if (latin1) expect(() => latin1(value)).toThrow(message);
  });

  it.each([
    ['string', 'c328', 'not UTF-8'],
    ['string', 'eda080', 'not UTF-8'],
    ['json', '7b', 'JSON'],
    ['json', '22c32822', 'not UTF-8'],
    ['int32', '0000', 'int32 takes 4 bytes, got 2'],
    ['int64', '00', 'int64 takes 8 bytes, got 1'],
    ['int64', '0020000000000000', 'the int64 9007199254740992 is beyond 2^53'],
    ['double', '', 'double takes 8 bytes, got 0'],
  ])('%s does not read the bytes %s', (name, hex, message) => {
    expect(() => serde(name).deserialize(Buffer.from(hex, 'hex'))).toThrow(message);
    expect(() => readAmong(name, Buffer.from(hex, 'hex'), 8)).toThrow(message);
  });

  it('reads a replacement character that was really written', () => {
    expect(serde('string').deserialize(Buffer.from('a\ufffdb'))).toBe('a\ufffdb');
  });
});
