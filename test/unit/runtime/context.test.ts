import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { FatalError } from '../../../src/core/errors.js';
import { type Logger, silentLogger } from '../../../src/core/logger.js';
import type { Processor } from '../../../src/core/processor.js';
import { StreamRecord } from '../../../src/core/record.js';
import { TEST_START } from '../../../src/testing/manual-clock.js';
import { at, type Context, each, Flow, onError, pairs, pass, sent, through, valuesOf, whole } from './harness.js';

/** Looks at the context in `process` of each record. */
async function inProcess<T>(look: (context: Context, record: StreamRecord) => T, records = at(7), flow = new Flow()): Promise<T[]> {
  const seen: T[] = [];
  const step = each((record, context) => void seen.push(look(context, record)));
  await through(flow.source('in').step('step', ['in'], step), records);
  return seen;
}

/** What looking at the context in `processBatch` threw. */
async function inBatch(look: (context: Context) => unknown): Promise<string> {
  let message = 'nothing was thrown';
  const step = whole((_records, context) => {
    try {
      look(context);
    } catch (error) {
      message = (error as Error).message;
    }
  });
  await through(new Flow().source('in').step('step', ['in'], step), at(1, 2));
  return message;
}

describe('R1: the life of a processor', () => {
  test('a factory makes a new instance per task', async () => {
    let made = 0;
    const create = (): Processor => {
      made += 1;
      return { process: () => {} };
    };
    await new Flow()
      .source('in')
      .step('step', ['in'], create)
      .open({ partitions: { in: 3 } });
    expect(made).toBe(3);
  });

  test('a shared instance is refused, naming the step', async () => {
    const shared: Processor = { process: () => {} };
    const opening = new Flow()
      .source('in')
      .step('shared', ['in'], () => shared)
      .open({ partitions: { in: 2 } });
    await expect(opening).rejects.toMatchObject({ code: 'step/shared-instance', message: expect.stringContaining('"shared"') });
  });

  test('init runs parents first, and is waited for; close comes at the end', async () => {
    const events: string[] = [];
    const step = (name: string) => (): Processor => ({
      init: async () => {
        await new Promise((resolve) => setImmediate(resolve));
        events.push(`init ${name}`);
      },
      process: () => void events.push(`process ${name}`),
      close: () => void events.push(`close ${name}`),
    });
    const driver = await new Flow().source('in').step('a', ['in'], step('a')).step('b', ['in'], step('b')).open();
    driver.send('in', at(1));
    await driver.settle();
    await driver.close();
    expect(events).toEqual(['init a', 'init b', 'process a', 'process b', 'close a', 'close b']);
  });

  test.each([
    [
      'throws',
      () => {
        throw new Error('no licence');
      },
    ],
    ['rejects', () => Promise.reject(new Error('no licence'))],
  ])('an init that %s is named with its step and line', async (_how, init) => {
    const opening = new Flow()
      .source('in')
      .step(
        'licensed',
        ['in'],
        each(() => {}, init),
        { position: { file: 'p.yaml', line: 3, column: 5 } },
      )
      .open();
    await expect(opening).rejects.toMatchObject({
      code: 'step/init',
      message: 'step "licensed" (p.yaml:3:5) could not be set up: no licence',
    });
  });

  test('the stores are closed though a processor fails to close', async () => {
    let closed = 0;
    const engine = {
      persistent: false,
      openTask: () => ({
        store: () => ({ get: () => null, scan: () => ({ next: () => [], close: () => {} }) }),
        apply: () => {},
        positions: () => [],
        clear: () => {},
        close: () => {
          closed += 1;
        },
      }),
    };
    const create = (): Processor => ({
      process: () => {},
      close: () => {
        throw new Error('stuck');
      },
    });
    const driver = await new Flow()
      .source('in')
      .step('step', ['in'], create, { stores: ['s'] })
      .open({ engines: new Map([['memory', engine]]) });
    await expect(driver.close()).rejects.toThrow('stuck');
    expect(closed).toBe(1);
  });
});

describe('R2: what a context gives in process', () => {
  test('the record: metadata, timestamp, headers, stream time', async () => {
    const header = { key: 'h', value: Buffer.from('v') };
    const seen = await inProcess(
      ({ recordMetadata, timestamp, headers, streamTime }) => ({ recordMetadata, timestamp, headers, streamTime }),
      [sent('k', 1, 50), sent('k', 2, 20, { headers: [header] })],
    );
    expect(seen).toEqual([
      { recordMetadata: { topic: 'in', partition: 0, offset: 0 }, timestamp: 50, headers: [], streamTime: 50 },
      { recordMetadata: { topic: 'in', partition: 0, offset: 1 }, timestamp: 20, headers: [header], streamTime: 50 },
    ]);
  });

  test('B3: stream time is that of the record also inside a larger batch', async () => {
    expect(await inProcess((context) => context.streamTime, at(10, 30, 20, 40))).toEqual([10, 30, 30, 40]);
  });

  test('the task: application, task id, wall clock, logger, metrics', async () => {
    const [seen] = await inProcess(({ applicationId, taskId, wallClockTime, logger, metrics }) => {
      metrics.counter('user_seen').add();
      logger.info({}, 'seen');
      return { applicationId, taskId, wallClockTime };
    });
    expect(seen).toEqual({ applicationId: 'app', taskId: '0_0', wallClockTime: TEST_START });
  });

  test('the logger names the step', async () => {
    const fields: object[] = [];
    const child = (given: object): Logger => {
      fields.push(given);
      return logger;
    };
    const logger: Logger = { ...silentLogger, child };
    await new Flow().source('in').step('named', ['in'], pass).open({ logger });
    expect(fields).toContainEqual({ step: 'named' });
  });

  test('a state directory of the task, made when asked for and gone with the driver', async () => {
    let directory = '';
    const driver = await new Flow()
      .source('in')
      .step(
        'step',
        ['in'],
        each(
          () => {},
          (context) => {
            directory = context.stateDir;
          },
        ),
      )
      .open();
    expect(existsSync(directory)).toBe(true);
    await driver.close();
    expect(existsSync(directory)).toBe(false);
  });

  test('a store by name, and the only one without a name', async () => {
    const step = each((record, context) => {
      context.store().put(record.key, record.value);
      context.forward(record.withValue(context.store('mine').get(record.key)));
    });
    expect(
      await through(
        new Flow()
          .source('in')
          .step('step', ['in'], step, { stores: ['mine'] })
          .sink('out', ['step']),
        at(1),
      ),
    ).toEqual([1]);
  });

  test('an unconnected store throws, naming it and what there is', async () => {
    const asks = (name?: string) => each((_record, context) => void context.store(name));
    const flow = (name?: string): Flow => new Flow().source('in').step('step', ['in'], asks(name), { stores: ['a', 'b'] });
    await expect(through(flow('other'), at(1))).rejects.toThrow('step "step" asks for the store "other"; connected to it: "a", "b"');
    await expect(through(flow(), at(1))).rejects.toThrow(FatalError);
  });
});

describe('R2: in processBatch', () => {
  test.each([
    ['recordMetadata', (context: Context) => context.recordMetadata],
    ['timestamp', (context: Context) => context.timestamp],
    ['headers', (context: Context) => context.headers],
    ['streamTime', (context: Context) => context.streamTime],
  ])('context.%s throws: each record has its own', async (name, look) => {
    expect(await inBatch(look)).toBe(`context.${name} has no meaning in processBatch; read it from each record (R2)`);
  });

  test('each record carries metadata and the stream time at which it was taken', async () => {
    const seen: unknown[] = [];
    const step = whole(
      (records) => void seen.push(...records.map(({ topic, partition, offset, timestamp, streamTime }) => [topic, partition, offset, timestamp, streamTime])),
    );
    await through(new Flow().source('in').step('step', ['in'], step), at(10, 30, 20));
    expect(seen).toEqual([
      ['in', 0, 0, 10, 10],
      ['in', 0, 1, 30, 30],
      ['in', 0, 2, 20, 30],
    ]);
  });

  test('the rest of the context is there', async () => {
    expect(await inBatch((context) => [context.taskId, context.wallClockTime, context.applicationId, context.logger])).toBe('nothing was thrown');
  });
});

describe('R2: schedule and cancel in process', () => {
  test('give the node batches of one from then on, and nothing is done twice', async () => {
    const sizes: number[] = [];
    const below = whole((records, context) => {
      sizes.push(records.length);
      context.forwardBatch(records);
    });
    const step = each((record, context) => {
      if (record.value === 3) context.schedule(10, 'stream-time', (time) => context.forward({ key: 'tick', value: time, timestamp: time }));
      context.forward(record);
    });
    const driver = await new Flow().source('in').step('step', ['in'], step).step('below', ['step'], below).sink('out', ['below']).open();
    driver.send('in', at(1, 2, 13, 14, 25, 26));
    await driver.settle();
    expect(pairs(driver.output('out'))).toEqual(['k=1', 'k=2', 'k=3', 'k=4', 'k=5', 'tick=25', 'k=6']);
    expect(sizes).toEqual([1, 1, 1, 1, 1, 1, 1]);
  });

  test('also when the batch was being split because of another record', async () => {
    const step = each((record, context) => {
      const tick = (name: string, interval: number): void =>
        void context.schedule(interval, 'stream-time', (time) => context.forward({ key: name, value: time, timestamp: time }));
      if (record.value === 1) throw new Error('one');
      if (record.value === 3) tick('ten', 10);
      if (record.value === 6) tick('five', 5);
      context.forward(record);
    });
    const driver = await new Flow()
      .source('in')
      .step('step', ['in'], step)
      .sink('out', ['step'])
      .open({ onError: onError('skip') });
    driver.send('in', at(1, 2, 13, 14, 25, 26, 31, 47));
    await driver.settle();
    expect(pairs(driver.output('out'))).toEqual(['k=2', 'k=3', 'k=4', 'k=5', 'ten=25', 'k=6', 'k=7', 'ten=31', 'five=31', 'k=8', 'five=47', 'ten=47']);
  });

  test('in a record that a punctuation sends down', async () => {
    const above = each(
      (record, context) => context.forward(record),
      (context) => void context.schedule(10, 'stream-time', (time) => context.forward({ key: 'go', value: 0, timestamp: time })),
    );
    const below = each((record, context) => {
      if (record.key === 'go') context.schedule(100, 'stream-time', (time) => context.forward({ key: 'later', value: time, timestamp: time }));
    });
    const driver = await new Flow().source('in').step('above', ['in'], above).step('below', ['above'], below).sink('out', ['below']).open();
    driver.send('in', at(1, 10, 120));
    await driver.settle();
    expect(pairs(driver.output('out'))).toEqual(['later=120']);
  });
});

describe('R3: records', () => {
  const record = StreamRecord.of({ key: 'k', value: { a: 1 }, timestamp: 5, headers: [{ key: 'h', value: null }] });

  test('with… copy and leave the rest alone', () => {
    expect(record.withKey('j')).toMatchObject({ key: 'j', value: { a: 1 }, timestamp: 5, headers: record.headers });
    expect(record.withValue(2)).toMatchObject({ key: 'k', value: 2, timestamp: 5, headers: record.headers });
    expect(record.withTimestamp(9)).toMatchObject({ key: 'k', value: { a: 1 }, timestamp: 9, headers: record.headers });
    expect(record.withHeaders([])).toMatchObject({ key: 'k', value: { a: 1 }, timestamp: 5, headers: [] });
    expect(record).toMatchObject({ key: 'k', value: { a: 1 }, timestamp: 5 });
    expect(record.withKey('j').value).toBe(record.value);
  });

  test.each([{ a: 1 }, null, 'a', [null], [{ a: 1 }], [{ key: 'a' }], [{ key: 'a', value: 'text' }], [['a', null]]])('the headers %j throw', (headers) => {
    const says = 'headers must be an array of { key, value }, where key is a string and value a Buffer or null';
    expect(() => record.withHeaders(headers as never)).toThrow(new TypeError(says));
  });

  test.each([-1, Number.NaN])('the timestamp %d throws', (timestamp) => {
    expect(() => record.withTimestamp(timestamp)).toThrow(RangeError);
    expect(() => StreamRecord.of({ key: 'k', value: 1, timestamp })).toThrow(RangeError);
  });

  test("a forwarded record keeps its source's metadata, one made anew gets its input's", async () => {
    const origins: unknown[] = [];
    const make = each((given, context) => {
      context.forward(given.withKey('x').withValue('y').withTimestamp(99));
      context.forward({ key: 'new', value: 1, timestamp: 3 });
    });
    const note = each((given) => void origins.push(given.origin));
    await through(new Flow().source('in').step('make', ['in'], make).step('note', ['make'], note), at(1, 2));
    const origin = (offset: number) => ({ topic: 'in', partition: 0, offset });
    expect(origins).toEqual([origin(0), origin(0), origin(1), origin(1)]);
  });

  test('user code that changes a value in place is not undone by the original bytes', async () => {
    const change = each((given, context) => {
      given.value.n += 1;
      context.forward(given);
    });
    const flow = new Flow().source('in').step('change', ['in'], change, { foreign: true }).sink('out', ['change']);
    expect(await through(flow, [sent('k', { n: 1 })])).toEqual([{ n: 2 }]);
  });

  test('what no step changed leaves with its original bytes', async () => {
    const driver = await new Flow().source('in').step('pass', ['in'], pass).sink('out', ['pass']).open();
    driver.send('in', [sent('k', '{ "spaced" :  1 }')]);
    await driver.settle();
    expect(String(driver.output('out')[0]?.value)).toBe('{ "spaced" :  1 }');
    expect(valuesOf(driver.output('out'))).toEqual([{ spaced: 1 }]);
  });
});
