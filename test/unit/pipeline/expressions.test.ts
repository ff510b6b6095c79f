import { describe, expect, test } from 'vitest';
import { Expression, Template } from '../../../src/core/expression.js';
import { StreamRecord } from '../../../src/core/record.js';
import { check, sound, withSteps } from './loading.js';

async function compile(...lines: string[]): Promise<Expression> {
  const pipeline = await sound(`${withSteps(...lines)}env: { MIN: 10, deep: { list: [1, 2] } }\n`);
  return pipeline.flows[0]?.steps[0]?.options as Expression;
}

const record = StreamRecord.of({
  key: 'k1',
  value: { total: 12, tags: ['a', 'b'], customer: { name: 'Ann' } },
  timestamp: 5,
  headers: [
    { key: 'x-tenant', value: Buffer.from('first') },
    { key: 'x-tenant', value: Buffer.from('last') },
    { key: 'empty', value: null },
  ],
});

describe('an expression', () => {
  test.each<[source: string, result: unknown]>([
    ['value.total > env.MIN', true],
    ['key', 'k1'],
    ['timestamp', 5],
    ['[topic, partition, offset]', [null, -1, -1]],
    ["headers['x-tenant']", 'last'],
    ['headers.empty', null],
    ['headers.constructor', undefined],
    ['env.deep.list.map(n => n + value.total)', [13, 14]],
    ['value.tags.map((tag, i) => `${i}${tag}`).join()', '0a,1b'],
    ['value.tags.reduce((sum, { length }) => sum + length, 0)', 2],
    ['value.customer?.name ?? "none"', 'Ann'],
    ['record.withValue(1).value', 1],
    ['Math.max(1, 2)', 2],
    ['null', null],
    ['true', true],
    ['({ ...value.customer, x: 1 })', { name: 'Ann', x: 1 }],
    ['/a{2}/.test("aa")', true],
    ['value.total // the total', 12],
  ])('%s', async (source, result) => {
    const quoted = `'${source.replaceAll("'", "''")}'`;
    expect((await compile(`- flatMap: ${quoted}`)).evaluate(record)).toEqual(result);
  });

  test('reads only the fields that it names', async () => {
    const read: string[] = [];
    const get = (target: StreamRecord, name: string | symbol): unknown => {
      read.push(String(name));
      return Reflect.get(target, name, target);
    };
    const spy = new Proxy(record, { get });
    (await compile('- filter: timestamp > 1 && value.total > 1')).evaluate(spy);
    expect(read.sort()).toEqual(['timestamp', 'value']);
  });

  test('throws what it throws', async () => {
    const expression = await compile('- filter: value.nothing.at');
    expect(() => expression.evaluate(record)).toThrow(TypeError);
  });

  test('knows its source and its place', async () => {
    expect(await compile('- filter: value.total > 1')).toMatchObject({ source: 'value.total > 1', position: { file: 'p.yaml', line: 4, column: 13 } });
  });

  test('cannot change env', async () => {
    const expression = await compile('- flatMap: env.deep.list.concat(Object.assign(env.deep.list, [3]))');
    expect(() => expression.evaluate(record)).toThrow(TypeError);
  });
});

describe('a template', () => {
  test('gives its fields in the order written, maps and lists nested', async () => {
    const template = await compile('- map:', '    z: value.total', '    a: { b: key, list: [ timestamp, { c: "1 + 1" } ] }', '    __proto__: "\'own\'"');
    const result = template.evaluate(record) as object;
    expect(Object.keys(result)).toEqual(['z', 'a', '__proto__']);
    expect(Object.entries(result).slice(0, 2)).toEqual([
      ['z', 12],
      ['a', { b: 'k1', list: [5, { c: 2 }] }],
    ]);
    expect(Object.hasOwn(result, '__proto__')).toBe(true);
  });

  test('tells nested templates from expressions that give objects', async () => {
    const template = await compile('- set: { nested: { a: key }, whole: value.customer }');
    expect(template).toBeInstanceOf(Template);
    const { fields } = template as Template;
    expect(fields.get('nested')).toBeInstanceOf(Template);
    expect(fields.get('whole')).toBeInstanceOf(Expression);
    expect(fields.get('whole')).not.toBeInstanceOf(Template);
    expect(template.evaluate(record)).toEqual({ nested: { a: 'k1' }, whole: { name: 'Ann' } });
  });

  test('a leaf that ends in a comment does not swallow the next', async () => {
    const template = await compile('- map:', '    a: key // the key', '    b: timestamp');
    expect(template.evaluate(record)).toEqual({ a: 'k1', b: 5 });
  });

  test('of log may be empty', async () => {
    expect((await compile('- log')).evaluate(record)).toEqual({});
  });
});

describe('positions inside', () => {
  test.each<[what: string, lines: string[], place: string]>([
    ['a block scalar', ['- map: |', '    value.a +', '      wrong'], '6:9'],
    ['a folded block scalar', ['- map: >-', '    value.a +', '    wrong'], '6:7'],
    ['a plain scalar of two lines', ['- map: value.a +', '    wrong'], '5:7'],
    ['double quotes with escapes', ['- map: "\\"\\u0041\\\\n\\" + wrong"'], '4:27'],
    ['single quotes with quotes', ["- map: '''it'' + wrong'"], '4:20'],
    ['a leaf', ['- map: { a: 1, b: [ key, key + wrong ] }'], '4:34'],
    ['a doubled block in a leaf', ['- map:', '    a: |', '', '      value.x', '        .map(x => wrong)'], '8:21'],
  ])('%s', async (_what, lines, place) => {
    const said = await check(withSteps(...lines));
    expect(said.map((line) => line.split(': ', 1)[0])).toEqual([place]);
  });

  test('are of the alias’s anchor', async () => {
    const said = await check(withSteps('- filter: &f vlaue', '- filter: *f'));
    expect(said).toEqual(['4:16: error expr/unknown-name: "vlaue" is not defined here; did you mean "value"?']);
  });
});

test.each([
  'Function("x")',
  'eval("x")',
  'globalThis.x',
  'require("fs")',
  'import("fs")',
  'this.x',
  'new.target',
  'value.x++',
  'delete value.x',
  '(() => { value.x = 1 })()',
  'async () => 1',
])('refuses %s', async (source) => {
  expect(await check(withSteps(`- map: '${source}'`))).not.toEqual([]);
});
