import { describe, expect, test } from 'vitest';
import { murmur2 } from '../../../src/core/murmur2.js';
import { int32Serde } from '../../../src/serdes/int32.js';
import type { SinkNode } from '../../../src/topology/nodes.js';
import { at, Flow, onError, pairs, pass, sent, through, valuesOf } from './harness.js';

const copy = (options: Partial<Omit<SinkNode, 'kind' | 'name'>> = {}): Flow =>
  new Flow().source('in').step('copy', ['in'], pass).sink('out', ['copy'], options);

async function partitions(partitioner: SinkNode['partitioner'], keys: readonly string[], count = 3): Promise<number[]> {
  const driver = await copy({ partitioner }).open({ partitions: { out: count } });
  driver.send(
    'in',
    keys.map((key) => sent(key, 1)),
  );
  await driver.settle();
  return driver.output('out').map(({ partition }) => partition);
}

describe('R4: sinks', () => {
  test('a route chooses among its topics', async () => {
    const to = { route: (record: { value: any }) => (record.value > 1 ? 'many' : 'few'), topics: ['few', 'many'] };
    const driver = await copy({ to }).open();
    driver.send('in', at(1, 2, 3));
    await driver.settle();
    expect([valuesOf(driver.output('few')), valuesOf(driver.output('many'))]).toEqual([[1], [2, 3]]);
  });

  test.each([
    ['a topic that is not listed', () => 'elsewhere', 'the route gives "elsewhere", which is not among its topics'],
    ['no text', () => undefined, 'the route gives undefined'],
  ])('a route that gives %s fails the record', async (_what, route, message) => {
    await expect(through(copy({ to: { route, topics: ['out'] } }), at(1))).rejects.toThrow(message);
    expect(await through(copy({ to: { route, topics: ['out'] } }), at(1), { onError: onError('skip') })).toEqual([]);
  });

  test('a route that throws is a failure of the record', async () => {
    const route = (record: { value: any }): string => record.value.missing.field;
    await expect(through(copy({ to: { route, topics: ['out'] } }), at(1))).rejects.toThrow(/^in-0@0: step "out"/);
  });

  /** kafka-streams.yaml, partition-01. */
  test("partition-01: murmur2 by default, as in Java's producer", async () => {
    const expected = (key: string): number => (murmur2(Buffer.from(key)) & 0x7fffffff) % 10;
    const keys = ['21', 'foobar', 'a-little-bit-longer-string'];
    expect(await partitions(undefined, keys, 10)).toEqual(keys.map(expected));
    expect(await partitions('murmur2', ['21', 'foobar'], 10)).toEqual([0, 6]);
  });

  test('round-robin', async () => {
    expect(await partitions('round-robin', ['a', 'a', 'a', 'a'])).toEqual([0, 1, 2, 0]);
  });

  /** kafka-streams.yaml, partition-03. */
  test('partition-03: a function of key, partition count, topic and value', async () => {
    const keys = ['3', '9', '27', '81', '243', '28', '82', '244', '245'];
    const chosen = await partitions((key, count) => Number(key) % count, keys);
    expect([0, 1, 2].map((partition) => chosen.filter((one) => one === partition).length)).toEqual([5, 3, 1]);
  });

  test.each([
    ['out of range', () => 3, 'the partitioner chose 3 for "out", which has 3 partitions'],
    ['no integer', () => 0.5, 'the partitioner chose 0.5'],
    [
      'thrown',
      () => {
        throw new Error('dice lost');
      },
      'dice lost',
    ],
  ])('a choice that is %s fails the record, naming it', async (_what, partitioner, message) => {
    const running = through(copy({ partitioner }), at(1), { partitions: { out: 3 } });
    await expect(running).rejects.toThrow(/^in-0@0: step "out"/);
    await expect(through(copy({ partitioner }), at(1), { partitions: { out: 3 } })).rejects.toThrow(message);
  });

  test('null values are tombstones, told from empty bytes; null keys stay null', async () => {
    const driver = await copy().open();
    driver.send('in', [sent('k', null), sent('k', ''), sent(null, 1)]);
    await driver.settle();
    expect(driver.output('out').map(({ key, value }) => [key && String(key), value && String(value)])).toEqual([
      ['k', null],
      ['k', ''],
      [null, '1'],
    ]);
  });

  test('headers and timestamps are kept, duplicate and null headers too', async () => {
    const headers = [
      { key: 'h', value: Buffer.from('1') },
      { key: 'h', value: null },
    ];
    const driver = await copy().open();
    driver.send('in', [sent('k', 1, 123, { headers })]);
    await driver.settle();
    expect(driver.output('out')).toMatchObject([{ timestamp: 123, headers }]);
  });

  test('formats may differ from those of the input', async () => {
    const driver = await copy({ value: int32Serde }).open();
    driver.send('in', at(1, 2));
    await driver.settle();
    expect(driver.output('out').map(({ value }) => value?.toString('hex'))).toEqual(['00000001', '00000002']);
    expect(pairs([])).toEqual([]);
  });
});

describe('E2: size is checked before produce, with the origin at hand', () => {
  const large = sent('k', 'x'.repeat(1_000_000));

  test('key and value', async () => {
    await expect(through(copy({}), [sent('k', 1), large])).rejects.toThrow(/^in-0@1: step "out": the record for "out" has 1000001 bytes/);
  });

  test('headers count too', async () => {
    const headers = [{ key: 'h', value: Buffer.alloc(999_999) }];
    await expect(through(copy({}), [sent('k', 1, 0, { headers })])).rejects.toThrow('more than the 1000000 that the producer takes');
  });

  test('under skip the rest of the batch goes on', async () => {
    expect(await through(copy({}), [sent('k', 1), large, sent('k', 3)], { onError: onError('skip') })).toEqual([1, 3]);
  });
});
