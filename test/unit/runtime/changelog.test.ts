import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CHANGELOG, commits, counted, EXACTLY_ONCE, entry, fold, HOUR, Machine, stateful, storing, written } from './changelog-bench.js';
import { counting } from './harness.js';
import { WorkerBench } from './worker-bench.js';

let bench: WorkerBench;
let machine: Machine;

beforeEach(() => {
  bench = WorkerBench.withTopics('in', 'out', 'dead');
  machine = new Machine(bench);
});

afterEach(() => bench.close());

/** Processes what is there with one commit, by ending. */
async function oneCommit(flow = counted(), options: object = {}): Promise<string[]> {
  const process = machine.start(flow, { ...commits(HOUR), ...options });
  await bench.until(() => process.worker.unready.length === 0);
  await bench.until(() => process.diary.filter((call) => call === 'send out').length > 0);
  await process.stop();
  return process.diary;
}

describe.each([
  ['at-least-once', {}],
  ['exactly-once', EXACTLY_ONCE],
])('S3: the changelog of a store, %s', (guarantee, options) => {
  test('gets one record a key and commit, with the last value and stream time', async () => {
    for (const [key, timestamp] of [
      ['a', 1000],
      ['b', 3000],
      ['a', 2000],
      ['a', 2500],
    ] as const) {
      bench.broker.append('in', { key: Buffer.from(key), value: Buffer.from('1'), timestamp });
    }
    await oneCommit(counted(), options);
    expect(bench.broker.records(CHANGELOG, 'read_committed').map(entry).sort()).toEqual(['a=3@3000', 'b=1@3000']);
    expect(written(bench, 'out')).toEqual(['a=1', 'b=1', 'a=2', 'a=3']);
  });

  test('gets a tombstone for a deleted key, also for one that was never there', async () => {
    const keep = storing((key, value, context) => {
      const counts = context.store<string, number>('counts');
      if (value === null) counts.delete(key);
      else counts.put(key, value);
    });
    bench.append('in', [1], 0, 'a');
    bench.append('in', [2, null], 0, 'b');
    await oneCommit(stateful(keep), options);
    bench.append('in', [null], 0, 'a');
    const process = machine.start(stateful(keep), options);
    await bench.until(() => bench.committed() !== undefined && written(bench, 'out').length === 4);
    await process.stop();
    expect(written(bench, CHANGELOG)).toEqual(['a=1', 'b=null', 'a=null']);
    expect(machine.contents()).toEqual({});
  });

  test('C1: outputs, then changelogs, acknowledged before the offsets, and those before the disk', async () => {
    const process = machine.start(counted(), { ...commits(HOUR), ...options });
    await bench.until(() => bench.committed() === 0);
    bench.append('in', [1, 2, 3]);
    const { diary } = process;
    await bench.until(() => diary.includes('send out'));
    await process.stop();
    const from = diary.indexOf('send out');
    const until = diary.findIndex((call) => call.startsWith('apply counts:k='));
    const order = guarantee === 'exactly-once' ? ['transaction.commit', 'logEnds'] : ['flush', 'commit', 'logEnds'];
    expect(diary.slice(from, until + 1).filter((call) => call !== 'deleteRecordsBefore')).toEqual([
      'send out',
      `send ${CHANGELOG}`,
      ...order,
      'apply counts:k=3',
    ]);
  });

  test('a store that was only read adds nothing', async () => {
    bench.append('in', [1]);
    await oneCommit(stateful(storing((key, _, context) => void context.store('counts').get(key))), options);
    expect(written(bench, CHANGELOG)).toEqual([]);
    expect(bench.committed()).toBe(1);
  });

  test('goes to the partition of the task, and holds what a restart and another machine need', async () => {
    bench.broker.createTopic('two', 2);
    const flow = () => counted(['two']);
    bench.append('two', [1, 2], 0, 'a');
    bench.append('two', [1, 2, 3], 1, 'b');
    const first = machine.start(flow(), options);
    await bench.until(() => bench.committed('two', 0) !== undefined && written(bench, 'out').length === 5);
    await first.stop();
    const partitions = bench.broker.records(CHANGELOG, 'read_committed').map(({ key, partition }) => `${key} ${partition}`);
    expect([...new Set(partitions)].sort()).toEqual(['a 0', 'b 1']);
    bench.append('two', [3], 0, 'a');
    const elsewhere = new Machine(bench);
    const second = elsewhere.start(flow(), options);
    await bench.until(() => written(bench, 'out').length === 6);
    await second.stop();
    expect(written(bench, 'out')).toContain('a=3');
    expect(
      elsewhere.contents(
        'counts',
        elsewhere.directories().find((one) => one.endsWith('0')),
      ),
    ).toEqual({ a: 3 });
    expect(fold(bench.broker.records(CHANGELOG, 'read_committed'))).toEqual({ a: 3, b: 3 });
  });
});

describe('C3: one transaction a commit', () => {
  test('holds outputs, changelog and offsets, and begins with the first output', async () => {
    const process = machine.start(counted(), { ...EXACTLY_ONCE, ...commits(100) });
    await bench.until(() => process.worker.unready.length === 0 && bench.committed() === 0);
    const before = process.diary.length;
    bench.append('in', [1, 2]);
    await bench.until(() => process.diary.slice(before).includes('send out'));
    expect(written(bench, 'out')).toEqual([]);
    expect(bench.committed()).toBe(0);
    await bench.until(() => bench.committed() === 2, 100);
    expect(process.diary.slice(before).filter((call) => call !== 'logEnds' && !call.startsWith('apply'))).toEqual([
      'send out',
      `send ${CHANGELOG}`,
      'transaction.commit',
    ]);
    expect(written(bench, 'out')).toEqual(['k=1', 'k=2']);
    expect(written(bench, CHANGELOG)).toEqual(['k=2']);
  });

  test('an idle instance makes none', async () => {
    const process = machine.start(counted(), EXACTLY_ONCE);
    await bench.until(() => process.worker.unready.length === 0 && bench.committed() === 0);
    const calls = process.diary.length;
    for (let i = 0; i < 20; i++) await bench.until(() => true, 100);
    expect(process.diary.slice(calls)).toEqual([]);
  });
});

test('stores with and without a changelog are told apart', async () => {
  bench.append('in', [1, 2]);
  const both = stateful(counting('plain'), [
    { name: 'counts', type: 'key-value', engine: 'memory', key: 'string', value: 'json', changelog: { topic: CHANGELOG, config: {} } },
    { name: 'plain', type: 'key-value', engine: 'memory', key: 'string', value: 'json' },
  ]);
  await oneCommit(both);
  expect(bench.broker.topicNames().filter((name) => name.endsWith('-changelog'))).toEqual([CHANGELOG]);
  expect(written(bench, CHANGELOG)).toEqual([]);
});
