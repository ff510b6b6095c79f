import { describe, expect, test } from 'vitest';
import type { ErrorPolicy } from '../../../src/core/policy.js';
import { at, type Context, each, Flow, onError, through, valuesOf, whole } from './harness.js';

type Step = ReturnType<typeof each>;

/** A step of foreign code between `in` and `out`. */
function plugin(create: Step, policy?: ErrorPolicy): Flow {
  return new Flow()
    .source('in')
    .step('plugin', ['in'], create, { foreign: true, ...(policy && { onError: policy }) })
    .sink('out', ['plugin']);
}

const UNDEFINED = { code: 'step/undefined-value', message: 'in-0@1: step "plugin": the step forwarded a record whose value is undefined' };

describe('a plugin that forwards an undefined value is refused as map is', () => {
  test.each<[how: string, create: Step]>([
    ['with withValue', each((record, context) => context.forward(record.withValue(record.value === 2 ? undefined : record.value)))],
    ['with a record of its own', each(({ key, value }, context) => context.forward({ key, ...(value !== 2 && { value }) } as never))],
    ['in a batch', whole((records, context) => context.forwardBatch(records.map((record) => record.withValue(record.value === 2 ? undefined : record.value))))],
  ])('%s', async (_how, create) => {
    await expect(through(plugin(create), at(1, 2, 3))).rejects.toMatchObject({
      ...UNDEFINED,
      fix: 'forward null for a tombstone, or do not forward the record',
    });
    expect(await through(plugin(create, onError('skip')), at(1, 2, 3))).toEqual([1, 3]);
  });

  test('in a punctuation', async () => {
    const step = each(
      () => {},
      (context) => void context.schedule(10, 'stream-time', () => context.forward({ key: 'k', value: undefined, timestamp: 0 })),
    );
    await expect(through(plugin(step), at(10))).rejects.toMatchObject({ code: 'step/undefined-value', message: expect.stringContaining('in a punctuation') });
  });

  test('null makes a tombstone, and what came without a value passes', async () => {
    const driver = await plugin(each((record, context) => context.forward(record.value === 2 ? record.withValue(null) : record.withKey('j')))).open();
    driver.send('in', [...at(1, 2), { key: Buffer.from('k'), value: null, timestamp: 3 }]);
    await driver.settle();
    expect(valuesOf(driver.output('out'))).toEqual([1, null, null]);
    await driver.close();
  });
});

test.each<[what: string, call: (context: Context) => void, says: string]>([
  ['null', (context) => context.forward(null as never), 'forward takes a record, or { key, value, timestamp, headers }, got null'],
  ['nothing', (context) => context.forward(undefined as never), 'got undefined'],
  ['a text', (context) => context.forward('v' as never), 'got a string'],
  ['an array', (context) => context.forward([] as never), 'got an array'],
  ['a batch that is none', (context) => context.forwardBatch({} as never), 'forwardBatch takes an array of records, got an object'],
  ['null in a batch', (context) => context.forwardBatch([null] as never), 'forward takes a record, or { key, value, timestamp, headers }, got null'],
  [
    'a map of headers',
    (context) => context.forward({ key: 'k', value: 1, timestamp: 0, headers: { a: 1 } as never }),
    'headers must be an array of { key, value }',
  ],
])('forwarding %s says what was expected', async (_what, call, says) => {
  const step = plugin(each((_record, context) => call(context)));
  await expect(through(step, at(1))).rejects.toMatchObject({ message: expect.stringContaining(says) });
});
