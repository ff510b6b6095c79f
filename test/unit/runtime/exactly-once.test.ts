import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DeliveryError, FatalError, RetriableError, TaskMigratedError } from '../../../src/core/errors.js';
import type { Processor } from '../../../src/core/processor.js';
import { CHANGELOG, commits, counted, EXACTLY_ONCE, expectCounted, fold, HOUR, Machine, stateful, storing, written } from './changelog-bench.js';
import { counting, each, onError } from './harness.js';
import { WorkerBench } from './worker-bench.js';

let bench: WorkerBench;
let machine: Machine;

beforeEach(() => {
  bench = WorkerBench.withTopics('in', 'out', 'dead');
  machine = new Machine(bench);
});

afterEach(() => bench.close());

describe('an aborted transaction', () => {
  test('is done again: nothing of it is seen, stores and outputs are as if it had not been', async () => {
    bench.append('in', [1, 2, 3]);
    bench.broker.transactions.failNextCommit(new RetriableError('broker/unavailable', 'no room'));
    const process = machine.start(counted(), EXACTLY_ONCE);
    await bench.until(() => bench.committed() === 3, 100);
    bench.append('in', [4]);
    await expectCounted(bench, machine, 4);
    expect(await process.ended).toBe(undefined);
  });

  test('drops what plugins keep in memory: they are made anew', async () => {
    let instances = 0;
    const remembering = (): Processor => {
      instances++;
      let seen = 0;
      return each((record, context) => context.forward(record.withValue(++seen)))();
    };
    machine.start(stateful(remembering), { ...EXACTLY_ONCE, ...commits(HOUR) });
    await bench.until(() => bench.committed() === 0);
    bench.broker.transactions.failNextCommit(new RetriableError('broker/unavailable', 'no room'));
    bench.append('in', [1, 2, 3]);
    await bench.until(() => written(bench, 'out').length === 3, HOUR);
    expect(instances).toBe(2);
    expect(written(bench, 'out')).toEqual(['k=1', 'k=2', 'k=3']);
  });

  test('in the middle of a shutdown leaves its records to the next start', async () => {
    const process = machine.start(counted(), { ...EXACTLY_ONCE, ...commits(HOUR) });
    await bench.until(() => bench.committed() === 0);
    bench.append('in', [1, 2, 3]);
    await bench.until(() => process.diary.includes('send out'));
    bench.broker.transactions.failNextCommit(new RetriableError('broker/unavailable', 'no room'));
    bench.broker.transactions.failNextCommit(new RetriableError('broker/unavailable', 'no room'));
    await process.stop();
    expect(written(bench, 'out')).toEqual([]);
    expect(machine.contents()).toEqual({});
    machine.start(counted(), EXACTLY_ONCE);
    await expectCounted(bench, machine, 3);
  });
});

describe('C3: a fenced producer', () => {
  test('costs nothing but time: its tasks are closed without a commit, and the worker joins anew', async () => {
    const process = machine.start(counted(), { ...EXACTLY_ONCE, ...commits(HOUR) });
    await bench.until(() => bench.committed() === 0);
    bench.append('in', [1, 2, 3]);
    await bench.until(() => process.diary.includes('send out'));
    bench.broker.transactions.expire('app-one-0');
    bench.clock.advance(HOUR);
    await bench.until(() => bench.warnings.some(({ message }) => message.includes('joins anew')));
    bench.append('in', [4]);
    await expectCounted(bench, machine, 4);
    expect(await process.ended).toBe(undefined);
  });

  test('whose last commit got through all the same is not repeated', async () => {
    bench.append('in', [1, 2, 3]);
    bench.broker.transactions.failNextCommit(new TaskMigratedError('broker/transaction-unresolved', 'no answer'), { committed: true });
    machine.start(counted(), EXACTLY_ONCE);
    await bench.until(() => bench.warnings.some(({ message }) => message.includes('joins anew')));
    bench.append('in', [4]);
    await expectCounted(bench, machine, 4);
  });

  test('a killed process is fenced by its next start, at once', async () => {
    const process = machine.start(counted(), { ...EXACTLY_ONCE, ...commits(HOUR) });
    await bench.until(() => bench.committed() === 0);
    bench.append('in', [1, 2, 3]);
    await bench.until(() => process.diary.includes('send out'));
    process.kill();
    machine.start(counted(), EXACTLY_ONCE);
    await expectCounted(bench, machine, 3);
  });

  test('stopping while the worker waits to join anew ends the run', async () => {
    const process = machine.start(counted(), { ...EXACTLY_ONCE, ...commits(HOUR) });
    await bench.until(() => bench.committed() === 0);
    bench.append('in', [1]);
    await bench.until(() => process.diary.includes('send out'));
    bench.broker.transactions.expire('app-one-0');
    bench.clock.advance(HOUR);
    await bench.until(() => bench.warnings.some(({ message }) => message.includes('joins anew')));
    await process.stop();
    expect(written(bench, 'out')).toEqual([]);
  });
});

describe('C3, C5: partitions that go away', () => {
  beforeEach(() => bench.broker.createTopic('two', 2));

  test('lost ones take the whole open transaction with them', async () => {
    const process = machine.start(counted(['two']), { ...EXACTLY_ONCE, ...commits(HOUR) });
    await bench.until(() => bench.committed('two', 1) === 0);
    bench.append('two', [1, 2], 0, 'a');
    bench.append('two', [1, 2, 3], 1, 'b');
    await bench.until(() => process.diary.filter((call) => call === 'send out').length === 2);
    bench.broker.group('app').expire();
    await bench.until(() => process.diary.filter((call) => call === 'send out').length === 4);
    expect(process.diary).toContain('transaction.abort');
    await process.stop();
    expect(written(bench, 'out').sort()).toEqual(['a=1', 'a=2', 'b=1', 'b=2', 'b=3']);
    expect(fold(bench.broker.records(CHANGELOG, 'read_committed'))).toEqual({ a: 2, b: 3 });
  });

  test('a revoke commits all that is done, then gives up', async () => {
    const process = machine.start(counted(['two']), { ...EXACTLY_ONCE, ...commits(HOUR) });
    await bench.until(() => bench.committed('two', 1) === 0);
    bench.append('two', [1, 2], 0, 'a');
    bench.append('two', [1, 2, 3], 1, 'b');
    await bench.until(() => process.diary.filter((call) => call === 'send out').length === 2);
    const other = new Machine(bench).start(counted(['two']), { transactions: { id: 'app-two-0', timeoutMs: 60_000 } });
    await bench.until(() => other.diary.includes('commit') || other.diary.includes('transaction.commit'));
    expect([bench.committed('two', 0), bench.committed('two', 1)]).toEqual([2, 3]);
    expect(written(bench, 'out')).toHaveLength(5);
  });

  test('a revoke whose commit got through although nobody was told does nothing again', async () => {
    const process = machine.start(counted(['two']), { ...EXACTLY_ONCE, ...commits(HOUR) });
    await bench.until(() => bench.committed('two', 1) === 0);
    bench.append('two', [1, 2], 0, 'a');
    bench.append('two', [1, 2, 3], 1, 'b');
    await bench.until(() => process.diary.filter((call) => call === 'send out').length === 2);
    bench.broker.transactions.failNextCommit(new TaskMigratedError('broker/transaction-unresolved', 'no answer'), { committed: true });
    new Machine(bench).start(counted(['two']), { transactions: { id: 'app-two-0', timeoutMs: 60_000 } });
    await bench.until(() => bench.warnings.some(({ message }) => message.includes('joins anew')));
    bench.append('two', [3], 0, 'a');
    bench.append('two', [4], 1, 'b');
    await bench.until(() => written(bench, 'out').length >= 7, HOUR);
    expect(written(bench, 'out').sort()).toEqual(['a=1', 'a=2', 'a=3', 'b=1', 'b=2', 'b=3', 'b=4']);
  }, 60_000);

  test('a revoke whose commit has no end within 5 s gives up the producer, and loses and doubles nothing', async () => {
    const process = machine.start(counted(['two']), { ...EXACTLY_ONCE, ...commits(HOUR) });
    await bench.until(() => bench.committed('two', 1) === 0);
    bench.append('two', [1, 2], 0, 'a');
    bench.append('two', [1, 2, 3], 1, 'b');
    await bench.until(() => process.diary.filter((call) => call === 'send out').length === 2);
    let answer!: () => void;
    const late = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const { onCall } = process.mortal;
    process.mortal.onCall = (call, when) => {
      onCall(call, when);
      if (call === 'transaction.commit' && when === 'before') process.mortal.holdNext(late);
    };
    new Machine(bench).start(counted(['two']), { transactions: { id: 'app-two-0', timeoutMs: 60_000 } });
    await bench.until(() => bench.warnings.some(({ message }) => message.includes('joins anew')));
    process.mortal.onCall = onCall;
    answer();
    bench.append('two', [3], 0, 'a');
    bench.append('two', [4], 1, 'b');
    await bench.until(() => written(bench, 'out').length >= 7, HOUR);
    expect(written(bench, 'out').sort()).toEqual(['a=1', 'a=2', 'a=3', 'b=1', 'b=2', 'b=3', 'b=4']);
    expect(fold(bench.broker.records(CHANGELOG, 'read_committed'))).toEqual({ a: 3, b: 4 });
  }, 60_000);
});

describe('E2: what can never be written', () => {
  const bad = (value: Buffer | null): boolean => String(value).includes('bad');
  const passing = (): ReturnType<typeof stateful> =>
    stateful(
      storing((key, _, context) => {
        const counts = context.store<string, number>('counts');
        counts.put(key, (counts.get(key) ?? 0) + 1);
      }),
    );
  const many = (n: number, at: number, value: unknown = 'bad'): unknown[] => Array.from({ length: n }, (_, i) => (i === at ? value : `v${i}`));

  test.each([
    ['the broker refuses it', (): void => bench.broker.refuse(({ topic, value }) => topic === 'out' && bad(value))],
    ['the client refuses it', (): void => void 0],
  ])('is skipped with its state, and all else is there once: %s', async (_, refuse) => {
    refuse();
    const huge = `bad${'x'.repeat(1_000_100)}`;
    bench.append('in', many(300, 137, huge));
    machine.start(passing(), { ...EXACTLY_ONCE, onError: onError('skip') });
    await bench.until(() => bench.committed() !== undefined && bench.committed()! >= 300, 100);
    const values = bench.broker.records('out', 'read_committed').map(({ value }) => JSON.parse(String(value)));
    expect(values).toEqual(many(300, 137).filter((value) => value !== 'bad'));
    expect(bench.warnings.filter(({ message }) => message === 'record skipped').map(({ fields }) => fields.offset)).toEqual([137]);
    expect(fold(bench.broker.records(CHANGELOG, 'read_committed'))).toEqual({ k: 299 });
  });

  test('several of them, and another partition whose records are not blamed', async () => {
    bench.broker.createTopic('two', 2);
    bench.broker.refuse(({ topic, value }) => topic === 'out' && bad(value));
    bench.append('two', many(200, 3), 0, 'a');
    bench.append('two', many(200, 150), 1, 'b');
    const flow = stateful(
      storing(() => {}),
      undefined,
      ['two'],
    );
    machine.start(flow, { ...EXACTLY_ONCE, onError: onError('skip') });
    await bench.until(() => bench.committed('two', 0) !== undefined && written(bench, 'out').length >= 398, 100);
    const skipped = bench.warnings.filter(({ message }) => message === 'record skipped').map(({ fields }) => `${fields.partition}@${fields.offset}`);
    expect([...new Set(skipped)].sort()).toEqual(['0@3', '1@150']);
    expect(written(bench, 'out')).toHaveLength(398);
    expect(new Set(written(bench, 'out')).size).toBe(398);
  });

  test('goes to the dead letter topic, in the transaction of what is around it', async () => {
    bench.broker.refuse(({ topic, value }) => topic === 'out' && bad(value));
    bench.append('in', ['a', 'bad', 'c']);
    machine.start(passing(), { ...EXACTLY_ONCE, onError: onError('dead-letter'), deadLetter: 'dead' });
    await bench.until(() => bench.committed() !== undefined && bench.committed()! >= 3, 100);
    expect(written(bench, 'dead')).toEqual(['k="bad"']);
    expect(written(bench, 'out')).toEqual(['k="a"', 'k="c"']);
  });

  test('fail: stops the daemon with what came before committed', async () => {
    bench.broker.refuse(({ topic, value }) => topic === 'out' && bad(value));
    bench.append('in', ['a', 'b', 'bad', 'c']);
    const { ended } = machine.start(passing(), EXACTLY_ONCE);
    let error: unknown;
    void ended.then((given) => {
      error = given;
    });
    await bench.until(() => error !== undefined, 100);
    expect(error).toBeInstanceOf(FatalError);
    expect((error as Error).message).toMatch(/^in-0@2: /);
    expect(written(bench, 'out')).toEqual(['k="a"', 'k="b"']);
    expect(fold(bench.broker.records(CHANGELOG, 'read_committed'))).toEqual({ k: 2 });
  });

  test('in a few transactions: once it is found, the rest is not taken one by one', async () => {
    bench.broker.refuse(({ topic, value }) => topic === 'out' && bad(value));
    bench.append('in', many(1000, 5));
    const process = machine.start(passing(), { ...EXACTLY_ONCE, onError: onError('skip'), batch: { maxRecords: 1000, maxWaitMs: 100, maxBytes: 1e7 } });
    await bench.until(() => bench.committed() !== undefined && bench.committed()! >= 1000, 100);
    expect(process.diary.filter((call) => call === 'transaction.commit').length).toBeLessThan(60);
  });

  describe.each([
    ['at-least-once', {}],
    ['exactly-once', EXACTLY_ONCE],
  ])('%s', (_, options) => {
    test('a value that its changelog refuses is laid at the record that put it', async () => {
      bench.broker.refuse(({ topic, value }) => topic === CHANGELOG && bad(value));
      const keep = storing((_key, value, context) => context.store<string, string>('counts').put(String(value), value));
      bench.append('in', many(100, 37));
      machine.start(stateful(keep), { ...options, onError: onError('skip') });
      await bench.until(() => bench.committed() !== undefined && bench.committed()! >= 100, 100);
      expect([...new Set(bench.warnings.filter(({ message }) => message === 'record skipped').map(({ fields }) => fields.offset))]).toEqual([37]);
      expect(Object.keys(fold(bench.broker.records(CHANGELOG, 'read_committed')))).toHaveLength(99);
    });

    test('an output of a punctuation is laid at the punctuation, not at records', async () => {
      const ticking = each(
        (record, context) => context.forward(record),
        (context) => void context.schedule(1000, 'wall-clock', () => context.forward({ key: 'k', value: 'bad', timestamp: 1 })),
      );
      bench.broker.refuse(({ topic, value }) => topic === 'out' && bad(value));
      const { ended } = machine.start(stateful(ticking), { ...options, onError: onError('fail') });
      bench.append('in', ['a']);
      let error: unknown;
      void ended.then((given) => {
        error = given;
      });
      await bench.until(() => error !== undefined, 300);
      expect((error as Error).message).toMatch(/^in a punctuation: /);
    });

    test('an output of a punctuation by stream time, likewise', async () => {
      const ticking = each(
        (record, context) => context.forward(record),
        (context) => void context.schedule(1000, 'stream-time', () => context.forward({ key: 'k', value: 'bad', timestamp: 1 })),
      );
      bench.broker.refuse(({ topic, value }) => topic === 'out' && bad(value));
      const { ended } = machine.start(stateful(ticking), { ...options, onError: onError('fail') });
      bench.append('in', ['a', 'b']);
      bench.broker.append('in', { key: Buffer.from('k'), value: Buffer.from('"c"'), timestamp: 2500 });
      let error: unknown;
      void ended.then((given) => {
        error = given;
      });
      await bench.until(() => error !== undefined, 300);
      expect((error as Error).message).toMatch(/^in a punctuation: /);
    });
  });

  test('an error that is told only by the commit surfaces as such', async () => {
    const { ended } = machine.start(passing(), EXACTLY_ONCE);
    await bench.until(() => bench.committed() === 0);
    bench.append('in', ['a']);
    for (let i = 0; i < 20; i++) bench.broker.transactions.failNextCommit(new DeliveryError('broker/record-refused', 'out: refused'));
    let error: unknown;
    void ended.then((given) => {
      error = given;
    });
    await bench.until(() => error !== undefined, 100);
    expect((error as Error).message).toMatch(/^in-0@0: .*refused/);
  });
});

test('counting is not disturbed by what an aborted transaction of somebody else leaves in the input', async () => {
  const foreign = bench.broker.transactions.start('foreign');
  const sink = await bench.broker.sink({ transactionalId: 'foreign' });
  foreign.fence();
  await sink.close();
  bench.append('in', [1, 2]);
  machine.start(stateful(counting('counts')), EXACTLY_ONCE);
  await expectCounted(bench, machine, 2);
});
