import { describe, expect, test } from 'vitest';
import { FatalError } from '../../../src/core/errors.js';
import type { ErrorPolicy } from '../../../src/core/policy.js';
import { int32Serde } from '../../../src/serdes/int32.js';
import { ManualClock, TEST_START } from '../../../src/testing/manual-clock.js';
import { at, each, Flow, mapped, onError, pass, sent, through, valuesOf, whole } from './harness.js';

const POSITION = { file: 'pipeline.yaml', line: 7, column: 5 };

const noTwo = each((record, context) => {
  if (record.value === 2) throw new TypeError('two is not welcome');
  context.forward(record);
});

/** One flow for each stage of E1; the second of three records fails there. */
const stages: Record<string, { flow: () => Flow; records: ReturnType<typeof at>; step: string }> = {
  deserialize: {
    flow: () =>
      new Flow()
        .source('in')
        .step(
          'read',
          ['in'],
          mapped((value) => value),
        )
        .sink('out', ['read']),
    records: [sent('k', 1), sent('k', 'no json'), sent('k', 3)],
    step: 'read',
  },
  process: {
    flow: () => new Flow().source('in').step('work', ['in'], noTwo, { position: POSITION }).sink('out', ['work']),
    records: at(1, 2, 3),
    step: 'work',
  },
  serialize: {
    flow: () =>
      new Flow()
        .source('in')
        .step(
          'odd',
          ['in'],
          mapped((value) => (value === 2 ? 'two' : value)),
        )
        .sink('out', ['odd'], { value: int32Serde }),
    records: at(1, 2, 3),
    step: 'out',
  },
  produce: {
    flow: () => new Flow().source('in').step('pass', ['in'], pass).sink('out', ['pass']),
    records: [sent('k', 1), sent('k', JSON.stringify('x'.repeat(1_000_000))), sent('k', 3)],
    step: 'out',
  },
};

describe.each(Object.entries(stages))('E1: a record that cannot be handled at %s', (_stage, { flow, records, step }) => {
  test('fail stops with its coordinates and the step, after what came before', async () => {
    const driver = await flow().open();
    driver.send('in', records);
    const error = await driver.settle().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(FatalError);
    expect((error as FatalError).message).toMatch(new RegExp(`^in-0@1: step "${step}"`));
    expect((error as FatalError).code).toMatch(/^record\//);
    expect(driver.output('out').length).toBe(1);
  });

  test('skip goes on with the next', async () => {
    const driver = await flow().open({ onError: onError('skip') });
    driver.send('in', records);
    await driver.settle();
    expect(driver.output('out').length).toBe(2);
  });

  test("dead-letter writes the raw bytes with KIP-1034's headers", async () => {
    const driver = await flow().open({ onError: onError('dead-letter'), deadLetter: 'dead' });
    const own = { key: 'own', value: Buffer.from('header') };
    driver.send(
      'in',
      records.map((record) => ({ ...record, timestamp: 77, headers: [own] })),
    );
    await driver.settle();
    expect(driver.output('out').length).toBe(2);
    const [letter, ...others] = driver.output('dead');
    expect(others).toEqual([]);
    expect([String(letter?.key), letter?.timestamp]).toEqual(['k', 77]);
    expect(letter?.value?.equals(records[1]?.value as Buffer)).toBe(true);
    const headers = new Map(letter?.headers.map(({ key, value }) => [key, String(value)]));
    expect([...headers.keys()]).toEqual([
      'own',
      '__streams.errors.exception',
      '__streams.errors.message',
      '__streams.errors.stacktrace',
      '__streams.errors.topic',
      '__streams.errors.partition',
      '__streams.errors.offset',
      'kstreamd.step',
    ]);
    expect([headers.get('__streams.errors.topic'), headers.get('__streams.errors.partition'), headers.get('__streams.errors.offset')]).toEqual([
      'in',
      '0',
      '1',
    ]);
    expect(headers.get('kstreamd.step')).toBe(step);
    expect(headers.get('__streams.errors.message')).not.toBe('');
  });

  test('retry waits, doubling up to the bound, and then does what the rule says', async () => {
    const clock = new ManualClock();
    const driver = await flow().open({ clock, onError: onError('skip', 4, { from: 100, to: 300 }) });
    driver.send('in', records);
    await driver.settle();
    expect(clock.now() - TEST_START).toBe(100 + 200 + 300 + 300);
    expect(driver.output('out').length).toBe(2);
  });
});

describe('E1: which rule holds', () => {
  test("a step's own covers what its own code throws", async () => {
    const flow = new Flow()
      .source('in')
      .step('work', ['in'], noTwo, { onError: onError('skip') })
      .sink('out', ['work']);
    expect(await through(flow, at(1, 2, 3))).toEqual([1, 3]);
  });

  test("the file's covers reading and writing", async () => {
    const reading = new Flow()
      .source('in')
      .step(
        'read',
        ['in'],
        mapped((value) => value),
        { onError: onError('skip') },
      )
      .sink('out', ['read']);
    await expect(through(reading, [sent('k', 'no json')])).rejects.toThrow('the value is not json');
  });

  test('the message names the line of the step in the file', async () => {
    const flow = new Flow().source('in').step('work', ['in'], noTwo, { position: POSITION });
    await expect(through(flow, at(1, 2))).rejects.toThrow('in-0@1: step "work" (pipeline.yaml:7:5): two is not welcome');
  });

  test('a retry that goes well leaves no trace, and is processed once', async () => {
    let failures = 2;
    const flaky = whole((records, context) => {
      const store = context.store<string, number>('s');
      for (const { key } of records) store.put(key, (store.get(key) ?? 0) + 1);
      context.forwardBatch(records);
      if (records.some(({ value }) => value === 2) && failures-- > 0) throw new Error('not now');
    });
    const policy: ErrorPolicy = onError('fail', 3, { from: 1, to: 1 });
    const flow = new Flow()
      .source('in')
      .step('flaky', ['in'], flaky, { stores: ['s'], onError: policy })
      .sink('out', ['flaky']);
    const driver = await flow.open();
    driver.send('in', at(1, 2, 3));
    await driver.settle();
    expect(valuesOf(driver.output('out'))).toEqual([1, 2, 3]);
    expect(driver.store('s').get('k')).toBe(3);
  });

  test('dead-letter without a dead letter topic is fail', async () => {
    const flow = new Flow().source('in').step('work', ['in'], noTwo, { onError: onError('dead-letter') });
    await expect(through(flow, at(2, 2))).rejects.toThrow(FatalError);
  });

  test('an error that is none of a record, as an unconnected store, is never skipped', async () => {
    const flow = new Flow().source('in').step(
      'work',
      ['in'],
      each((_record, context) => void context.store('nowhere')),
    );
    await expect(through(flow, at(1), { onError: onError('skip') })).rejects.toMatchObject({ code: 'store/not-connected' });
  });
});

describe('E1: timestamps', () => {
  test('a negative one fails the record at deserialize', async () => {
    const flow = new Flow().source('in').step('pass', ['in'], pass).sink('out', ['pass']);
    await expect(through(flow, [sent('k', 1, -1)])).rejects.toMatchObject({ code: 'record/timestamp' });
    expect(await through(flow, [sent('k', 1, 5), sent('k', 2, -1), sent('k', 3, 6)], { onError: onError('skip') })).toEqual([1, 3]);
  });

  test('an extractor that throws fails the record, not the daemon', async () => {
    const timestamp = (record: { value: any }): number => record.value.at.time;
    const flow = (): Flow => new Flow().source('in', { timestamp }).step('pass', ['in'], pass).sink('out', ['pass']);
    await expect(through(flow(), [sent('k', {})])).rejects.toThrow(/^in-0@0: step "in"/);
    expect(await through(flow(), [sent('k', {}), sent('k', { at: { time: 5 } })], { onError: onError('skip') })).toEqual([{ at: { time: 5 } }]);
  });

  test('an extractor that gives undefined skips the record', async () => {
    const timestamp = (record: { timestamp: number }): number | undefined => (record.timestamp < 0 ? undefined : record.timestamp);
    const flow = new Flow().source('in', { timestamp }).step('pass', ['in'], pass).sink('out', ['pass']);
    expect(await through(flow, [sent('k', 1, 5), sent('k', 2, -1), sent('k', 3, -1)])).toEqual([1]);
  });
});

describe('E1: punctuate', () => {
  /** A callback that writes a store and forwards, and throws the first times. */
  function ticking(failures: number, policy: ErrorPolicy): Flow {
    let left = failures;
    const step = each(
      (record, context) => context.forward(record),
      (context) =>
        void context.schedule(10, 'stream-time', (time) => {
          const store = context.store<string, number>('s');
          store.put('ticks', (store.get('ticks') ?? 0) + 1);
          context.forward({ key: 'tick', value: `tick ${store.get('ticks')}`, timestamp: time });
          if (left-- > 0) throw new Error('no tick');
        }),
    );
    return new Flow()
      .source('in')
      .step('ticking', ['in'], step, { stores: ['s'], onError: policy })
      .sink('out', ['ticking']);
  }

  test('fail stops, saying that it was a punctuation', async () => {
    await expect(through(ticking(1, onError('fail')), at(10))).rejects.toThrow('in a punctuation: step "ticking": no tick');
  });

  test('skip takes back what the callback did, and does not call it again before its next deadline', async () => {
    expect(await through(ticking(1, onError('skip')), at(10, 15, 20))).toEqual([1, 2, 3, 'tick 1']);
  });

  test('retry calls it again', async () => {
    const clock = new ManualClock();
    expect(await through(ticking(2, onError('fail', 2, { from: 10, to: 100 })), at(10, 15), { clock })).toEqual([1, 'tick 1', 2]);
    expect(clock.now() - TEST_START).toBe(30);
  });

  test('dead-letter has no record to carry, so it is fail', async () => {
    await expect(through(ticking(1, onError('dead-letter')), at(10), { deadLetter: 'dead' })).rejects.toThrow('in a punctuation');
  });

  test('the same where a step below, or the sink, fails on what the callback forwarded', async () => {
    const step = each(
      () => {},
      (context) => void context.schedule(10, 'stream-time', (time) => context.forward({ key: 'tick', value: 'x', timestamp: time })),
    );
    const flow = new Flow().source('in').step('ticking', ['in'], step).sink('out', ['ticking'], { value: int32Serde });
    await expect(through(flow, at(10), { onError: onError('dead-letter'), deadLetter: 'dead' })).rejects.toThrow(/^in a punctuation: step "out"/);
    expect(await through(flow, at(10), { onError: onError('skip') })).toEqual([]);
  });
});
