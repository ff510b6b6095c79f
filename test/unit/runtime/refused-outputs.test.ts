import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FatalError } from '../../../src/core/errors.js';
import { each, Flow, mapped, onError, pass } from './harness.js';
import { copy, WorkerBench } from './worker-bench.js';

let bench: WorkerBench;

beforeEach(() => {
  bench = WorkerBench.withTopics('in', 'out', 'dead');
});

afterEach(() => bench.close());

describe('E2: an output that the broker refuses afterwards', () => {
  const bad = (record: { value: Buffer | null }): boolean => String(record.value) === '"bad"';

  beforeEach(() => bench.broker.refuse(bad));

  test('is found record by record, and only its input goes to onError', async () => {
    bench.append('in', ['a', 'b', 'bad', 'c']);
    bench.start(copy(), { onError: onError('skip') });
    await bench.until(() => bench.committed() === 4, 100);
    expect(new Set(bench.values('out'))).toEqual(new Set(['a', 'b', 'c']));
    expect(bench.warnings.filter(({ message }) => message === 'record skipped').map(({ fields }) => fields)).toMatchObject([
      { topic: 'in', partition: 0, offset: 2, step: 'out' },
    ]);
  });

  test('another partition waits meanwhile, so that its own refused output is not laid at this one', async () => {
    bench.broker.createTopic('two', 2);
    let later = false;
    bench.broker.refuse(({ value }) => {
      if (!String(value).startsWith('"bad')) return false;
      if (!later) bench.append('two', ['bad later'], 1);
      later = true;
      return true;
    });
    // More than one small batch, so that the other partition's turn comes in between.
    bench.append('two', ['bad', ...Array.from({ length: 299 }, () => 'x')], 0);
    bench.append('two', ['a'], 1);
    const flow = new Flow()
      .source('in', { topics: ['two'] })
      .step('copy', ['in'], pass)
      .sink('out', ['copy']);
    bench.start(flow, { onError: onError('skip'), batch: { maxRecords: 1000, maxWaitMs: 1000, maxBytes: 1e6 } });
    await bench.until(() => bench.committed('two', 0) === 300 && bench.committed('two', 1) === 2, 100);
    const skipped = bench.warnings.filter(({ message }) => message === 'record skipped').map(({ fields }) => `${fields.partition}@${fields.offset}`);
    // The one found first may be found again when the cycle is repeated for the other.
    expect([...new Set(skipped)].sort()).toEqual(['0@0', '1@1']);
  });

  test('stores count the other records once', async () => {
    const echo = each((record, context) => {
      const counts = context.store<string, number>('counts');
      const n = (counts.get('k') ?? 0) + 1;
      counts.put('k', n);
      context.forward(record);
      context.forward(record.withValue(n));
    });
    bench.append('in', ['a', 'bad', 'c']);
    bench.start(
      new Flow()
        .source('in')
        .step('echo', ['in'], echo, { stores: ['counts'] })
        .sink('out', ['echo']),
      { onError: onError('skip') },
    );
    await bench.until(() => bench.committed() === 3, 100);
    expect(bench.values('out').slice(-2)).toEqual(['c', 2]);
  });

  test('fail: the daemon stops, with what came before committed', async () => {
    bench.append('in', ['a', 'b', 'bad', 'c']);
    const { ended } = bench.start(copy());
    let error: unknown;
    void ended.then((given) => {
      error = given;
    });
    await bench.until(() => error !== undefined, 100);
    expect(error).toBeInstanceOf(FatalError);
    expect((error as Error).message).toMatch(/^in-0@2: step "out": /);
    expect(bench.committed()).toBe(2);
  });

  test('dead-letter: its input is written there', async () => {
    bench.append('in', ['a', 'bad', 'c']);
    bench.start(
      new Flow()
        .source('in')
        .step(
          'to-bad',
          ['in'],
          mapped((value) => value),
        )
        .sink('out', ['to-bad']),
      {
        onError: onError('dead-letter'),
        deadLetter: 'dead',
      },
    );
    bench.broker.refuse((record) => record.topic === 'out' && bad(record));
    await bench.until(() => bench.committed() === 3, 100);
    expect(bench.values('dead')).toEqual(['bad']);
  });

  test('a dead letter that is refused too stops the daemon, naming the record', async () => {
    bench.append('in', ['a', 'bad', 'c']);
    const { ended } = bench.start(copy(), { onError: onError('dead-letter'), deadLetter: 'dead' });
    let error: unknown;
    void ended.then((given) => {
      error = given;
    });
    await bench.until(() => error !== undefined, 100);
    expect((error as Error).message).toMatch(/^in-0@1: .*dead letter topic refused/);
    expect(bench.committed()).toBe(1);
  });

  test('one that a punctuation made is laid at the punctuation', async () => {
    const ticking = each(
      (record, context) => context.forward(record),
      (context) => void context.schedule(1000, 'wall-clock', () => context.forward({ key: 'k', value: 'bad', timestamp: 1 })),
    );
    const { ended, diary } = bench.start(new Flow().source('in').step('ticking', ['in'], ticking).sink('out', ['ticking']));
    bench.append('in', ['a']);
    await bench.until(() => diary.includes('send "a"'));
    let error: unknown;
    void ended.then((given) => {
      error = given;
    });
    await bench.until(() => error !== undefined, 300);
    expect((error as Error).message).toMatch(/^in a punctuation: step "out": /);
  });
});
