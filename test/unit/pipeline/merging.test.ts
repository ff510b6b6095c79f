import { describe, expect, test } from 'vitest';
import { check, sound } from './loading.js';

const BASE = 'name: app\nkafka: h:9092\nfrom: { topic: orders, value: string }\nsteps:\n  - count\nto: out\n';

const merged = (later: string, env: Record<string, string> = {}) => sound({ 'p.yaml': BASE, 'prod.yaml': later }, env);

describe('-f', () => {
  test('widens short forms before maps merge', async () => {
    const { kafka, flows } = await merged('kafka: { tls: true }\nfrom: sales\n');
    expect(kafka).toMatchObject({ brokers: 'h:9092', tls: {} });
    expect(flows[0]?.from).toMatchObject([{ topic: 'sales', value: 'string' }]);
  });

  test('keeps what the later map does not say', async () => {
    const { flows } = await merged('from: { topic: sales }\n');
    expect(flows[0]?.from).toMatchObject([{ topic: 'sales', value: 'string' }]);
  });

  test('a later list takes the place of a topic', async () => {
    const { flows } = await merged('from: { topics: [a, b] }\n');
    expect(flows[0]?.from).toMatchObject([
      { topic: 'a', value: 'string' },
      { topic: 'b', value: 'string' },
    ]);
  });

  test('replaces lists', async () => {
    expect((await merged('steps: [ { filter: value } ]\n')).flows[0]?.steps.map(({ operation }) => operation)).toEqual(['filter']);
  });

  test('null removes', async () => {
    expect((await merged('steps: null\n')).flows[0]?.steps).toEqual([]);
  });

  test('checks ${} after the merge', async () => {
    const base = BASE.replace('h:9092', '${NOT_SET}');
    expect((await sound({ 'p.yaml': base, 'dev.yaml': 'kafka: local:1\n' })).kafka.brokers).toBe('local:1');
  });

  test('a diagnostic names the file that it is about', async () => {
    expect(await check({ 'p.yaml': BASE, 'prod.yaml': 'batch:\n  maxRecords: lots\nstpes: []\n' })).toEqual([
      'prod.yaml:2:15: error schema/type: maxRecords must be a whole number, not text',
      'prod.yaml:3:1: error schema/unknown-key: unknown key "stpes"; did you mean "steps"?',
    ]);
  });

  test('a later file with other topics may remove the tests', async () => {
    const base = `${BASE}tests: [ { name: t, send: { orders: [a] } } ]\n`;
    const said = '7:29: error tests/unknown-topic: the pipeline reads no topic "orders"';
    expect(await check({ 'p.yaml': base, 'prod.yaml': 'from: sales\n' })).toEqual([`${said}\n  fix: tests: null in prod.yaml, which names other topics`]);
    expect(await check({ 'p.yaml': base, 'prod.yaml': 'from: sales\ntests: null\n' })).toEqual([]);
  });

  test('a misspelt topic in a later file’s tests is that file’s own', async () => {
    const tests = 'tests: [ { name: t, send: { ordesr: [a] } } ]\n';
    expect(await check({ 'p.yaml': BASE, 'tests.yaml': tests })).toEqual([
      'tests.yaml:1:29: error tests/unknown-topic: the pipeline reads no topic "ordesr"; did you mean "orders"?',
    ]);
  });

  test('an anchor ends with its file', async () => {
    expect(await check({ 'p.yaml': BASE.replace('out', '&o out'), 'prod.yaml': 'deadLetter: *o\n' })).toEqual([
      'prod.yaml:1:13: error yaml/alias: this alias has no anchor before it; quote a text that begins with *',
    ]);
  });
});

test('<< merges maps, what is written wins, and a list of maps goes first come, first served', async () => {
  const file =
    'name: a\nx-one: &one { topic: t1, value: string }\nx-two: &two { topic: t2, key: bytes, value: bytes }\nkafka: h:1\nfrom: { <<: [*one, *two], topic: t3 }\nto: b\n';
  expect((await sound(file)).flows[0]?.from).toMatchObject([{ topic: 't3', key: 'bytes', value: 'string' }]);
});
