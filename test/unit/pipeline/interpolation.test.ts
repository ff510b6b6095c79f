import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Diagnostics } from '../../../src/pipeline/diagnostics.js';
import { parseDocument } from '../../../src/pipeline/documents.js';
import { interpolate } from '../../../src/pipeline/interpolate.js';
import { check, load, sound } from './loading.js';

function value(text: string, env: Record<string, string> = {}): unknown {
  const diagnostics = new Diagnostics();
  const node = parseDocument('p.yaml', `a: ${text}\n`, diagnostics)?.entries.get('a')?.value;
  if (node?.kind !== 'scalar') throw new Error(`not a scalar: ${text}`);
  const literal = interpolate(node, env, diagnostics);
  return literal ? literal.value : diagnostics.sorted([])[0]?.code;
}

describe('${VAR}', () => {
  test.each<[text: string, env: Record<string, string>, result: unknown]>([
    ['${N}', { N: '5' }, 5],
    ['"${N}"', { N: '5' }, '5'],
    ['x${N}', { N: '5' }, 'x5'],
    ['${N}', { N: 'true' }, true],
    ['${N}', { N: 'a: b # c' }, 'a: b # c'],
    ['${N:5}', {}, 5],
    ['${N:5}', { N: '' }, 5],
    ['${N:-5}', {}, 5],
    ['${N:--1}', {}, -1],
    ['${N:}', {}, null],
    ['"${N:}"', {}, ''],
    ['${N:host:9092}', {}, 'host:9092'],
    ['${A}-${B:two}', { A: 'one' }, 'one-two'],
    ['$${N}', { N: '5' }, '${N}'],
    ['$$${N}', { N: '5' }, '$${N}'],
    ['${lower}', { lower: '5' }, 'env/name'],
    ['${Mixed:5}', {}, 'env/name'],
    ['${a.b}', {}, 'env/name'],
    ['${lower:?x}', {}, 'env/name'],
    ['$${lower}', { lower: '5' }, '${lower}'],
    ['${1}', {}, '${1}'],
    ['$N', { N: '5' }, '$N'],
    ['${N}', {}, 'env/unset'],
    ['${N}', { N: '' }, 'env/unset'],
    ['${N:?x}', { N: '5' }, 'env/operator'],
    ['${N:+x}', { N: '5' }, 'env/operator'],
    ['${N?x}', { N: '5' }, 'env/operator'],
    ['${N+x}', { N: '5' }, 'env/operator'],
    ['${N-x}', { N: '5' }, 'env/operator'],
    ['${N', { N: '5' }, 'env/unclosed'],
  ])('%s with %o', (text, env, result) => {
    expect(value(text, env)).toBe(result);
  });

  test('any text with its ${ doubled comes out as it was', () => {
    const texts = fc
      .array(fc.oneof(fc.string(), fc.constantFrom('$', '${', '}', '$${', '${N', '${N}', '${N:1}', ':', '-')), { maxLength: 8 })
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(texts, (text) => {
        expect(value(JSON.stringify(text.replaceAll('${', () => '$${')), { N: 'gone' })).toBe(text);
      }),
    );
  });

  test('any value of a quoted variable comes in as text', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), (text) => {
        expect(value('"${N}"', { N: text })).toBe(text);
      }),
    );
  });

  test('is replaced in names, brokers and tests, and not in expressions or comments', async () => {
    const file = 'name: ${APP} # ${NOT_SET}\nkafka: ${BROKERS:h:9092}\nfrom: ${IN:in}\nsteps:\n  - map: "`${value}`"\nto: ${OUT}\n';
    const { name, kafka, flows } = await sound(file, { APP: 'app', OUT: '007' });
    expect(name).toBe('app');
    expect(kafka.brokers).toBe('h:9092');
    expect(flows[0]).toMatchObject({ from: [{ topic: 'in' }], to: [{ to: { topic: '007' } }] });
  });

  test('is not looked at under x- keys', async () => {
    expect(await check('name: a\nkafka: h:1\nfrom: a\nto: b\nx-old: ${NOT_SET}\n')).toEqual([]);
  });
});

describe('xxxFile', () => {
  const head = 'name: a\nfrom: a\nto: b\n';
  const sasl = (secret: string): string => `${head}kafka: { brokers: "h:1", sasl: { mechanism: plain, username: u, ${secret} } }\n`;

  test('reads a file and cuts one trailing newline', async () => {
    const path = `${process.cwd()}/dir/secret`;
    const { kafka } = await sound({ 'dir/p.yaml': sasl('passwordFile: ./secret'), [path]: 'p${N}w\n\n' });
    expect(kafka.sasl?.password).toBe('p${N}w\n');
  });

  test('under env gives text', async () => {
    const { pipeline } = await load({ 'p.yaml': `${head}kafka: h:1\nenv: { TOKENFile: /t }\nsteps: [ { filter: env.TOKEN } ]\n`, '/t': '12' });
    const options = pipeline?.flows[0]?.steps[0]?.options as { evaluate(record: unknown): unknown };
    expect(options.evaluate({})).toBe('12');
  });

  test('of no file says where it looked', async () => {
    const message = (file: string): string => `4:79: error file/not-found: the file ${file} of "passwordFile" does not exist`;
    expect(await check(sasl('passwordFile: /none'))).toEqual([`${message('/none')}\n  fix: create the file, or correct the path`]);
    expect(await check(sasl('passwordFile: ./none'))).toEqual([
      `${message(`${process.cwd()}/none`)}\n  fix: create the file, or correct the path: it starts at the directory of p.yaml`,
    ]);
  });

  test('of no file does not show what a variable holds', async () => {
    expect((await check(sasl('passwordFile: "${PASSWORD}"'), { PASSWORD: 's3cret' }))[0]).toMatch(/the file of "passwordFile" does not exist/);
  });

  test('and both forms at once', async () => {
    expect(await check(sasl('password: x, passwordFile: /none'))).toEqual([
      '4:78: error file/both-forms: "password" and "passwordFile" say the same thing; keep one',
    ]);
  });
});

test.each<[what: string, kafka: string]>([
  ['a number as a password', 'sasl: { mechanism: plain, username: u, password: 5551234 }'],
  ['a variable as a mechanism', 'sasl: { mechanism: "${SECRET}", username: u, password: p }'],
  ['a variable as brokers', 'x: 1'],
  ['an alias as a password', 'sasl: { mechanism: plain, username: u, password: *s3cret }'],
  ['a tag as a password', 'sasl: { mechanism: plain, username: u, password: !s3cret }'],
  ['a list as a key', 'tls: { key: [ s3cret ] }'],
  ['a password that YAML cannot read', 'sasl: { mechanism: plain, username: u, password: s3cret[0] }'],
  ['a password with a colon', '\n  sasl:\n    password: s3cret: 5551234'],
])('%s is not shown', async (_what, kafka) => {
  const block = kafka.startsWith('\n') ? `kafka:${kafka}\n` : `kafka: { brokers: "\${SECRET}", ${kafka} }\n`;
  const said = await check(`name: a\nfrom: a\nto: b\n${block}`, { SECRET: 's3cret value' });
  expect(said.length).toBeGreaterThan(0);
  expect(said.join('\n')).not.toMatch(/s3cret|5551234/);
});
