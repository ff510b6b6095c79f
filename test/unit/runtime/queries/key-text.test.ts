import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { latin1Of } from '../../../../src/core/latin1.js';
import type { Serde } from '../../../../src/core/serde.js';
import { jsonOf, keyJson, keyText, parseKey } from '../../../../src/runtime/queries/key-text.js';
import { serdeFor } from '../../../../src/serdes/formats.js';
import { bigint64Serde } from '../../../../src/serdes/int64.js';

const format = (name: string): Serde<unknown> => (name === 'int64 as bigint' ? (bigint64Serde as Serde<unknown>) : (serdeFor(name) as Serde<unknown>));

describe('a key', () => {
  test.each<[string, fc.Arbitrary<unknown>]>([
    ['string', fc.string({ unit: 'binary' }).filter((text) => Buffer.from(text).toString() === text)],
    ['json', fc.jsonValue().filter((value) => value !== null)],
    ['int32', fc.integer()],
    ['int64', fc.maxSafeInteger()],
    ['int64 as bigint', fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })],
    ['double', fc.double()],
    ['bytes', fc.uint8Array().map((bytes) => Buffer.from(bytes))],
    [
      'msgpack',
      fc.oneof(
        fc.string(),
        fc.integer(),
        fc.dictionary(
          fc.string().filter((key) => key !== '__proto__'),
          fc.integer(),
        ),
      ),
    ],
  ])('of format %s is read as it is written', (name, values) => {
    const serde = format(name);
    fc.assert(
      fc.property(values, (value) => {
        const stored = latin1Of(serde.serialize(value));
        expect(parseKey(keyText(stored, serde), serde)).toBe(stored);
        expect(JSON.parse(JSON.stringify([keyJson(stored, serde)]))).toHaveLength(1);
      }),
    );
  });

  test.each([
    ['int32', '2147483648'],
    ['int32', '1.5'],
    ['int64', ''],
    ['int64', '0x10'],
    ['int64', '9007199254740992'],
    ['int64 as bigint', '9223372036854775808'],
    ['double', 'one'],
    ['bytes', 'a{b'],
    ['json', '{a:1}'],
    ['json', ''],
  ])('of format %s is not %s', (name, text) => {
    expect(() => parseKey(text, format(name))).toThrow(/is no key of this store: keys are /);
  });
});

test.each([-0, 0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1.5])('the double %s in a JSON answer is the key to ask for', (value) => {
  const serde = format('double');
  const stored = latin1Of(serde.serialize(value));
  const [shown] = JSON.parse(JSON.stringify([keyJson(stored, serde)]));
  expect(parseKey(String(shown), serde)).toBe(stored);
});

test('values are JSON without loss that nobody sees', () => {
  expect(
    jsonOf({
      big: 2n ** 60n,
      bytes: Buffer.from('hi'),
      view: new Uint8Array([1, 2]),
      at: new Date(0),
      nan: Number.NaN,
      list: [1n],
      map: new Map([['k', new Set([1])]]),
      none: null,
    }),
  ).toEqual({
    big: '1152921504606846976',
    bytes: 'aGk=',
    view: 'AQI=',
    at: '1970-01-01T00:00:00.000Z',
    nan: 'NaN',
    list: ['1'],
    map: { k: [1] },
    none: null,
  });
});
