import { describe, expect, test } from 'vitest';
import { differenceOf, shownData } from '../../../src/testing/differences.js';

const differ = (expected: unknown, got: unknown, contains = false) => differenceOf('value', expected, got, contains);

describe('differenceOf', () => {
  test.each<[expected: unknown, got: unknown]>([
    [1, 1],
    ['a', 'a'],
    [null, null],
    [Number.NaN, Number.NaN],
    [5, 5n],
    ['9007199254740993', 9007199254740993n],
    ['text', Buffer.from('text')],
    [{ a: 1 }, { a: 1, b: undefined }],
    [{ a: [1, { b: 2 }] }, Object.assign(Object.create({ more: 1 }), { a: [1, { b: 2n }] })],
    [[], []],
  ])('%j fits %s', (expected, got) => {
    expect(differ(expected, got)).toBeUndefined();
  });

  test.each<[expected: unknown, got: unknown, path: string]>([
    [1, '1', 'value'],
    [null, undefined, 'value'],
    [0, null, 'value'],
    [0, false, 'value'],
    [{}, [], 'value'],
    [[], {}, 'value'],
    [[1, 2], [1], 'value.1'],
    [[1], [1, 2], 'value.1'],
    [{ a: { b: 1 } }, { a: { b: 2 } }, 'value.a.b'],
    [{ a: 1 }, {}, 'value.a'],
    [{ a: 1 }, { a: undefined }, 'value.a'],
    [{}, { a: null }, 'value.a'],
    [{ toString: 1 }, {}, 'value.toString'],
  ])('%j does not fit %j', (expected, got, path) => {
    expect(differ(expected, got)).toMatchObject({ path });
  });

  test('with contains, maps may have more, lists may not', () => {
    expect(differ({ a: { b: 1 } }, { a: { b: 1, c: 2 }, d: 3 }, true)).toBeUndefined();
    expect(differ([{ a: 1 }], [{ a: 1, b: 2 }], true)).toBeUndefined();
    expect(differ([1], [1, 2], true)).toEqual({ path: 'value.1', expected: undefined, got: 2 });
    expect(differ({ a: 1 }, { b: 1 }, true)).toMatchObject({ path: 'value.a' });
  });
});

test('shownData is one short line, of bytes and bigints too', () => {
  expect(shownData({ a: 5n, b: Buffer.from('x'), c: [undefined, null] })).toBe('{"a":5,"b":"x","c":[null,null]}');
  expect(shownData(undefined)).toBe('nothing');
  expect(shownData('a\nb\u001b')).toBe('"a\\nb\\u001b"');
  expect(shownData('x'.repeat(1000))).toHaveLength(401);
});
