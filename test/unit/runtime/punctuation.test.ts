import { describe, expect, test } from 'vitest';
import type { ScheduleOptions } from '../../../src/core/processor.js';
import { PunctuationQueue } from '../../../src/runtime/punctuation.js';
import { ManualClock } from '../../../src/testing/manual-clock.js';
import { at, type Context, each, Flow, pairs, pass, sent, valuesOf } from './harness.js';

const SECOND = 1000;

function range(from: number, to: number, by: number): number[] {
  return Array.from({ length: Math.floor((to - from) / by) + 1 }, (_, i) => from + i * by);
}

/** Times at which a stream-time schedule fired, given the records' timestamps. */
async function ticks(interval: number, timestamps: readonly number[], options: ScheduleOptions = {}, batchSize = 1000): Promise<number[]> {
  const fired: number[] = [];
  const step = each(
    () => {},
    (context) => void context.schedule(interval, 'stream-time', (time) => void fired.push(time), options),
  );
  const driver = await new Flow().source('in').step('step', ['in'], step).open({ batchSize });
  driver.send('in', at(...timestamps));
  await driver.settle();
  return fired;
}

/** Times at which a wall-clock schedule fired, checked at these times after it was made. */
async function wallTicks(interval: number, checks: readonly number[]): Promise<number[]> {
  const fired: number[] = [];
  const clock = new ManualClock(0);
  const step = each(
    () => {},
    (context) => void context.schedule(interval, 'wall-clock', (time) => void fired.push(time)),
  );
  const driver = await new Flow().source('in').step('step', ['in'], step).open({ clock });
  for (const check of checks) await driver.advance(check - clock.now());
  return fired;
}

describe('P2: stream time', () => {
  const MINUTE = range(1 * SECOND, 60 * SECOND, SECOND);

  test.each([1, 7, 60])('punct-12: 60 records at 1..60 s and an interval of 10 s give 6 calls, in batches of %i', async (batchSize) => {
    expect(await ticks(10 * SECOND, MINUTE, {}, batchSize)).toEqual([10_000, 20_000, 30_000, 40_000, 50_000, 60_000]);
  });

  test.each([1, 7, 60])("punct-13: firstFire first-record gives Kafka Streams' 7, in batches of %i", async (batchSize) => {
    expect(await ticks(10 * SECOND, MINUTE, { firstFire: 'first-record' }, batchSize)).toEqual([1000, 10_000, 20_000, 30_000, 40_000, 50_000, 60_000]);
  });

  test.each([1, 100])('punct-01: a gap that crosses several deadlines fires once, and deadlines stay aligned (batches of %i)', async (batchSize) => {
    const steps = [20, 25, 142, 145, 155, 159, 160, 161];
    expect(await ticks(10, steps, { firstFire: 'first-record' }, batchSize)).toEqual([20, 142, 155, 160]);
    expect(await ticks(10, steps, {}, batchSize)).toEqual([20, 142, 155, 160]);
  });

  test('punct-07: relative to the first deadline', () => {
    const queue = new PunctuationQueue('stream-time');
    queue.schedule('n', 100, () => {}, 100);
    const fired = [0, 99, 100, 199, 200, 1001, 1002, 1100].filter((time) => queue.takeDue(time, queue.made) !== undefined);
    expect(fired).toEqual([100, 200, 1001, 1100]);
  });

  test('punct-11: records before the deadline and on it', async () => {
    expect(await ticks(10_000, [9999, 9999, 10_000], { firstFire: 'first-record' })).toEqual([9999, 10_000]);
    expect(await ticks(10_000, [9999, 9999, 10_000])).toEqual([10_000]);
  });

  test('the first deadline is the multiple equal to the first timestamp, or the first after it', async () => {
    expect(await ticks(10, [30, 39, 40])).toEqual([30, 40]);
    expect(await ticks(10, [31, 39, 40])).toEqual([40]);
  });

  test('a late record fires nothing', async () => {
    expect(await ticks(10, [15, 22, 5, 21, 29])).toEqual([22]);
  });

  test('the callback runs after the record that reached its time, before the next', async () => {
    const seen: string[] = [];
    const step = each(
      (record) => void seen.push(`record ${record.timestamp}`),
      (context) => void context.schedule(10, 'stream-time', (time) => void seen.push(`tick ${time}`)),
    );
    const driver = await new Flow().source('in').step('step', ['in'], step).open();
    driver.send('in', at(8, 9, 12, 13, 20));
    await driver.settle();
    expect(seen).toEqual(['record 8', 'record 9', 'record 12', 'tick 12', 'record 13', 'record 20', 'tick 20']);
  });

  test('of several that are due the earliest deadline comes first', async () => {
    const fired: string[] = [];
    const step = each(
      () => {},
      (context) => {
        context.schedule(20, 'stream-time', () => void fired.push('20'));
        context.schedule(15, 'stream-time', () => void fired.push('15'));
      },
    );
    const driver = await new Flow().source('in').step('step', ['in'], step).open();
    driver.send('in', at(1, 25));
    await driver.settle();
    expect(fired).toEqual(['15', '20']);
  });
});

describe('P3: wall clock', () => {
  test('punct-03: the first deadline is now + interval; at most once per check', async () => {
    expect(await wallTicks(10, [5, 14, 15, 35, 40])).toEqual([14, 35, 40]);
  });

  test('punct-05: nothing before the first deadline', async () => {
    expect(await wallTicks(10, [0, 9])).toEqual([]);
  });

  test('punct-15: 60 records processed in 20 s with 10 s give 2; in 5 s none', async () => {
    expect(await wallTicks(10_000, [...range(0, 20_000, 333), 20_000])).toHaveLength(2);
    expect(await wallTicks(10_000, [...range(0, 5_000, 83), 5_000])).toHaveLength(0);
  });
});

describe('P1: handles', () => {
  test('several schedules of one step run side by side', async () => {
    const fired: string[] = [];
    const step = each(
      () => {},
      (context) => {
        context.schedule(10, 'stream-time', (time) => void fired.push(`a${time}`));
        context.schedule(20, 'stream-time', (time) => void fired.push(`b${time}`));
      },
    );
    const driver = await new Flow().source('in').step('step', ['in'], step).open();
    driver.send('in', at(5, 10, 20));
    await driver.settle();
    expect(fired).toEqual(['a10', 'a20', 'b20']);
  });

  test('punct-09: cancelled in its own callback', async () => {
    const fired: number[] = [];
    const step = each(
      () => {},
      (context) => {
        const handle = context.schedule(100, 'stream-time', (time) => {
          fired.push(time);
          handle.cancel();
        });
      },
    );
    const driver = await new Flow().source('in').step('step', ['in'], step).open();
    driver.send('in', at(1, 100, 200));
    await driver.settle();
    expect(fired).toEqual([100]);
  });

  test('a schedule made in a callback waits for the next deadline, so that one-shot timers can follow one another', async () => {
    const fired: number[] = [];
    const again = (context: Context): void => {
      const handle = context.schedule(10, 'stream-time', (time) => {
        fired.push(time);
        handle.cancel();
        again(context);
      });
    };
    const driver = await new Flow()
      .source('in')
      .step(
        'step',
        ['in'],
        each(() => {}, again),
      )
      .open();
    driver.send('in', at(10, 15, 20, 47));
    await driver.settle();
    expect(fired).toEqual([10, 20, 47]);
  });

  test('a schedule that a callback makes for the first record does not fire within the same check', async () => {
    const fired: string[] = [];
    const step = each(
      () => {},
      (context) => {
        const handle = context.schedule(10, 'stream-time', (time) => {
          handle.cancel();
          fired.push(`outer ${time}`);
          context.schedule(10, 'stream-time', (inner) => void fired.push(`inner ${inner}`), { firstFire: 'first-record' });
        });
      },
    );
    const driver = await new Flow().source('in').step('step', ['in'], step).open();
    driver.send('in', at(10, 11, 12));
    await driver.settle();
    expect(fired).toEqual(['outer 10', 'inner 11']);
  });

  test('an interval below one millisecond is refused', async () => {
    const step = each(
      () => {},
      (context) => void context.schedule(0, 'stream-time', () => {}),
    );
    await expect(new Flow().source('in').step('step', ['in'], step).open()).rejects.toThrow('at least 1 ms');
  });
});

test.each<[args: unknown[], says: string]>([
  [['5s', 'stream-time', () => {}], "a punctuation interval must be a number of milliseconds and at least 1 ms, got '5s'"],
  [['1000', 'stream-time', () => {}], "got '1000'"],
  [[Number.NaN, 'wall-clock', () => {}], 'got NaN'],
  [[Number.POSITIVE_INFINITY, 'wall-clock', () => {}], 'got Infinity'],
  [[1000, 'sometime', () => {}], "a punctuation type is 'stream-time' or 'wall-clock', got 'sometime'"],
  [[1000, () => {}], "a punctuation type is 'stream-time' or 'wall-clock', got a function"],
  [[1000, 'wall-clock'], 'the callback of a punctuation must be a function, got undefined'],
  [[1000, 'stream-time', () => {}, { firstFire: 'now' }], "firstFire of a punctuation is 'aligned' or 'first-record', got 'now'"],
])('P1: context.schedule with %j says what was expected', async (args, says) => {
  const step = each(
    () => {},
    (context) => void (context.schedule as (...given: unknown[]) => void)(...args),
  );
  await expect(new Flow().source('in').step('step', ['in'], step).open()).rejects.toThrow(says);
});

describe('P4: in a callback', () => {
  test('there is no input record: topic null, partition and offset −1, headers fresh; what it forwards goes through the steps below', async () => {
    const seen: unknown[] = [];
    const step = each(
      () => {},
      (context) =>
        void context.schedule(10, 'stream-time', (time) => {
          seen.push(context.recordMetadata, context.headers, context.timestamp, context.streamTime);
          context.forward({ key: 'tick', value: time, timestamp: time });
        }),
    );
    const below = each((record, context) => {
      seen.push([record.topic, record.partition, record.offset, record.origin, record.headers]);
      context.forward(record);
    });
    const driver = await new Flow().source('in').step('step', ['in'], step).step('below', ['step'], below).sink('out', ['below']).open();
    driver.send('in', [sent('k', 1, 12, { headers: [{ key: 'h', value: Buffer.from('v') }] })]);
    await driver.settle();
    driver.send('in', at(21));
    await driver.settle();
    expect(seen.slice(0, 5)).toEqual([undefined, [], 21, 21, [null, -1, -1, undefined, []]]);
    expect(pairs(driver.output('out'))).toEqual(['tick=21']);
  });

  test('also right after a record that failed', async () => {
    const step = each(
      (record) => {
        if (record.value === 1) throw new Error('one');
      },
      (context) => void context.schedule(10, 'wall-clock', () => context.forward({ key: 'tick', value: 0, timestamp: 0 })),
    );
    const origins: unknown[] = [];
    const below = each((record) => void origins.push(record.origin));
    const skip = { retries: 0, backoff: { from: 0, to: 0 }, final: 'skip' } as const;
    const driver = await new Flow().source('in').step('step', ['in'], step).step('below', ['step'], below).open({ onError: skip });
    driver.send('in', at(5));
    await driver.advance(10);
    expect(origins).toEqual([undefined]);
  });

  test('stores can be read and written, and the outputs come between those of the records', async () => {
    const step = each(
      (record, context) => {
        context.store('s').put('last', record.value);
        context.forward(record);
      },
      (context) =>
        void context.schedule(10, 'stream-time', (time) => {
          const store = context.store<string, number>('s');
          context.forward({ key: 'tick', value: store.get('last'), timestamp: time });
          store.put('last', 100);
        }),
    );
    const driver = await new Flow()
      .source('in')
      .step('step', ['in'], step, { stores: ['s'] })
      .step('pass', ['step'], pass)
      .sink('out', ['pass'])
      .open();
    driver.send('in', at(5, 10, 15));
    await driver.settle();
    expect(pairs(driver.output('out'))).toEqual(['k=1', 'k=2', 'tick=2', 'k=3']);
    expect(driver.store('s').get('last')).toBe(3);
  });

  test('an asynchronous callback is waited for', async () => {
    const step = each(
      (record, context) => context.forward(record),
      (context) =>
        void context.schedule(10, 'stream-time', async (time) => {
          await new Promise((resolve) => setImmediate(resolve));
          context.forward({ key: 'tick', value: 'late', timestamp: time });
        }),
    );
    const driver = await new Flow().source('in').step('step', ['in'], step).sink('out', ['step']).open();
    driver.send('in', at(10, 15));
    await driver.settle();
    expect(valuesOf(driver.output('out'))).toEqual([1, 'late', 2]);
  });
});
