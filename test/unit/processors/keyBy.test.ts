import { describe, expect, test } from 'vitest';
import keyBy from '../../../src/processors/keyBy.js';
import { Bench, bothWays, expr, fields, values } from './harness.js';

describe('keyBy', () => {
  test.each([
    ["'a'", 'a'],
    ["''", ''],
    ['42', '42'],
    ['-0', '0'],
    ['1.5', '1.5'],
    ['12345678901234567890n', '12345678901234567890'],
    ['1e21', '1000000000000000000000'],
    ['-1.25e22', '-12500000000000000000000'],
    ['1e-7', '0.0000001'],
    ['-1.5e-9', '-0.0000000015'],
    ['true', 'true'],
  ])('makes %s the string key %j', async (source, key) => {
    const [batch, single] = await bothWays(keyBy, expr(source), values('v'));
    expect(batch.keys).toEqual([key]);
    expect(single.keys).toEqual([key]);
    expect(batch.values).toEqual(['v']);
  });

  test.each(['null', 'undefined', '({ a: 1 })', '[1]', 'NaN', '1 / 0', "Symbol('s')", '() => 1'])('refuses %s', async (source) => {
    await expect(Bench.of(keyBy, expr(source)).batch(values('v'))).rejects.toMatchObject({ code: 'step/bad-key', stage: 'process' });
  });

  test('makes a json key of a template, its fields in the order written', async () => {
    const [batch] = await bothWays(keyBy, fields({ b: 'value.b', a: { c: 'null' } }), values({ b: 1 }));
    expect(JSON.stringify(batch.keys[0])).toBe('{"b":1,"a":{"c":null}}');
  });

  test('names the field of a json key that is undefined', async () => {
    const bench = Bench.of(keyBy, fields({ b: '1', a: { c: 'value.missing' } }));
    await expect(bench.batch(values({}))).rejects.toThrow('the field "a.c" of the key is undefined');
  });
});
