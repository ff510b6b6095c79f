import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  CHANGELOG,
  commits,
  counted,
  EXACTLY_ONCE,
  HOUR,
  killAfterCommit,
  Machine,
  type Process,
  stateful,
  storeOf,
  storing,
  written,
} from './changelog-bench.js';
import { counting, each } from './harness.js';
import { WorkerBench } from './worker-bench.js';

let bench: WorkerBench;
let machine: Machine;

beforeEach(() => {
  bench = WorkerBench.withTopics('in', 'out', 'dead');
  machine = new Machine(bench);
});

afterEach(() => bench.close());

const applied = ({ diary }: Process): string[] => diary.filter((call) => call.startsWith('apply counts'));

/** Runs until an empty input is committed, so that all that follows is the test's. */
async function started(options: object, flow = counted()): Promise<Process> {
  const process = machine.start(flow, options);
  await bench.until(() => process.worker.unready.length === 0 && bench.committed() !== undefined);
  return process;
}

describe.each([
  ['at-least-once', {}],
  ['exactly-once', EXACTLY_ONCE],
])('C4: when state goes to disk, %s', (_, guarantee) => {
  test('never before its commit; then after commit.flush', async () => {
    const process = await started({ ...guarantee, ...commits(100, 1000) });
    bench.append('in', [1, 2]);
    await bench.until(() => process.diary.includes('send out'));
    expect(applied(process)).toEqual([]);
    bench.clock.advance(100);
    await bench.until(() => bench.committed() === 2);
    bench.clock.advance(999);
    bench.append('in', [3]);
    await bench.until(() => bench.committed() === 3);
    expect(applied(process)).toEqual([]);
    bench.clock.advance(1);
    await bench.until(() => applied(process).length > 0);
    expect(applied(process)).toEqual(['apply counts:k=3']);
  });

  test('also while nothing more comes', async () => {
    const process = await started({ ...guarantee, ...commits(0, 1000) });
    bench.append('in', [1]);
    await bench.until(() => bench.committed() === 1);
    await bench.until(() => applied(process).length > 0, 100);
    expect(applied(process)).toEqual(['apply counts:k=1']);
  });

  test('at once when more bytes wait than may, in the middle of a commit interval', async () => {
    const process = await started({ ...guarantee, ...commits(HOUR, HOUR, 3000), batch: { maxRecords: 10, maxWaitMs: 1, maxBytes: 1e6 } });
    for (let i = 0; i < 100; i++) bench.append('in', [1], 0, `a-key-with-thirty-letters-more-${i}`);
    await bench.until(() => applied(process).length > 0);
    expect(bench.committed()).toBeGreaterThan(0);
  });

  test('when the worker stops', async () => {
    const process = await started({ ...guarantee, ...commits(HOUR) });
    bench.append('in', [1, 2]);
    await bench.until(() => process.diary.includes('send out'));
    await process.stop();
    expect(machine.contents()).toEqual({ k: 2 });
  });

  test('when partitions are revoked', async () => {
    bench.broker.createTopic('two', 2);
    const process = machine.start(counted(['two']), { ...guarantee, ...commits(0) });
    await bench.until(() => bench.committed('two', 1) === 0);
    bench.append('two', [1, 2], 0, 'a');
    bench.append('two', [1], 1, 'b');
    await bench.until(() => bench.committed('two', 0) === 2 && bench.committed('two', 1) === 1);
    expect(applied(process)).toEqual([]);
    const other = new Machine(bench).start(counted(['two']), 'transactions' in guarantee ? { transactions: { id: 'two', timeoutMs: 60_000 } } : {});
    await bench.until(() => other.worker.unready.length === 0 && applied(process).length === 2);
    expect(applied(process).sort()).toEqual(['apply counts:a=2', 'apply counts:b=1']);
  });

  test('with the positions of inputs and changelogs, their times and topic, in the same write', async () => {
    const process = await started({ ...guarantee, ...commits(0, 1000) });
    bench.broker.append('in', { key: Buffer.from('k'), value: Buffer.from('1'), timestamp: 777 });
    await bench.until(() => bench.committed() === 1);
    await bench.until(() => applied(process).length > 0, 100);
    const [end] = await (await bench.broker.admin()).logEnds([{ topic: CHANGELOG, partition: 0 }]);
    const positions = machine.positions.get('state/counts/0') ?? [];
    expect(positions).toEqual([
      { topic: 'in', partition: 0, offset: 1, time: 777 },
      { topic: CHANGELOG, partition: 0, offset: end?.offset, topicId: end?.topicId, time: expect.any(Number) },
    ]);
    expect(end?.offset).toBeGreaterThan(0);
  });

  test('later, when the end of the changelog is not known; the commit stands', async () => {
    const process = await started({ ...guarantee, ...commits(0, 1000) });
    let away = true;
    process.mortal.alsoOnCall((call, when) => {
      if (call === 'logEnds' && when === 'before' && away) bench.broker.setReachable(false);
    });
    bench.append('in', [1]);
    await bench.until(() => bench.committed() === 1);
    await bench.until(() => bench.warnings.some(({ message }) => message.includes('stores are written later')), 100);
    expect(applied(process)).toEqual([]);
    away = false;
    bench.broker.setReachable(true);
    await bench.until(() => applied(process).length > 0, 100);
    expect(machine.contents()).toEqual({ k: 1 });
  });

  test('not at all, when the changelog is another topic by now: the run ends', async () => {
    const process = await started({ ...guarantee, ...commits(0, 1000) });
    bench.append('in', [1]);
    await bench.until(() => bench.committed() === 1);
    bench.broker.deleteTopic(CHANGELOG);
    bench.broker.createTopic(CHANGELOG, 1, { 'cleanup.policy': 'compact' });
    let error: unknown;
    void process.ended.then((given) => {
      error = given;
    });
    await bench.until(() => error !== undefined, 100);
    expect(error).toMatchObject({ code: 'changelog/recreated' });
    expect(applied(process)).toEqual([]);
  });

  test('a crash after the commit and before the flush: the restore takes the tail only', async () => {
    const first = await started({ ...guarantee, ...commits(0, 1000) });
    bench.append('in', [1, 2, 3]);
    await bench.until(() => bench.committed() === 3);
    await bench.until(() => applied(first).length > 0, 100);
    bench.append('in', [4], 0, 'k');
    bench.append('in', [5], 0, 'new');
    await bench.until(() => bench.committed() === 5);
    first.kill();
    expect(machine.contents()).toEqual({ k: 3 });
    bench.append('in', [6]);
    const second = machine.start(counted(), { ...guarantee, ...commits(0) });
    await bench.until(() => bench.committed() === 6);
    expect(bench.restored()).toBe(2);
    await second.stop();
    expect(machine.contents()).toEqual({ k: 5, new: 1 });
    expect(written(bench, 'out')).toEqual(['k=1', 'k=2', 'k=3', 'k=4', 'new=1', 'k=5']);
  });

  test('a crash right after the flush: nothing is restored', async () => {
    const first = await started({ ...guarantee, ...commits(0, 0) });
    bench.append('in', [1, 2, 3]);
    await bench.until(() => applied(first).length > 0 && machine.contents().k === 3);
    first.kill();
    bench.append('in', [4]);
    machine.start(counted(), { ...guarantee, ...commits(0) });
    await bench.until(() => bench.committed() === 4);
    expect(bench.restored()).toBe(0);
    expect(written(bench, 'out')).toEqual(['k=1', 'k=2', 'k=3', 'k=4']);
  });
});

describe('C4: a store without a changelog', () => {
  const local = () => stateful(counting('counts'), [storeOf('counts', false)]);

  test('is flushed with each commit, also by one that changes nothing in it', async () => {
    const seldom = storing((key, value, context) => value === 'write' && context.store('counts').put(key, value));
    const process = await started(commits(0), stateful(seldom, [storeOf('counts', false)]));
    bench.append('in', ['write']);
    await bench.until(() => bench.committed() === 1);
    bench.append('in', ['no', 'no', 'no']);
    await bench.until(() => bench.committed() === 4);
    await bench.until(() => machine.positions.get('state/counts/0')?.[0]?.offset === 4);
    expect(process.diary).not.toContain(`send ${CHANGELOG}`);
  });

  test('misses what one interrupted flush missed, which a restart takes again without outputs or punctuations', async () => {
    const first = await started(commits(0), local());
    bench.append('in', [1, 2]);
    await bench.until(() => bench.committed() === 2 && applied(first).length > 0);
    killAfterCommit(first);
    bench.append('in', [3]);
    await bench.until(() => bench.committed() === 3);
    expect(machine.contents()).toEqual({ k: 2 });
    bench.append('in', [4]);
    machine.start(local(), commits(0));
    await bench.until(() => bench.committed() === 4);
    expect(written(bench, 'out').at(-1)).toBe('k=4');
    expect(written(bench, 'out')).toHaveLength(4);
  });

  test('misses what the very first flush missed, which a restart takes again', async () => {
    const first = await started(commits(0), local());
    killAfterCommit(first);
    bench.append('in', [1, 2]);
    await bench.until(() => bench.committed() === 2 && first.mortal.dead);
    expect(machine.contents()).toEqual({});
    bench.append('in', [3]);
    machine.start(local(), commits(0));
    await bench.until(() => bench.committed() === 3);
    expect(written(bench, 'out').at(-1)).toBe('k=3');
    expect(written(bench, 'out')).toHaveLength(3);
  });

  test('beside one that has one: after a crash both are built from the input, and each record counts once', async () => {
    const both = each((record, context) => {
      for (const name of ['counts', 'plain']) {
        const store = context.store<string, number>(name);
        store.put(record.key, (store.get(record.key) ?? 0) + 1);
      }
      context.forward(record.withValue([context.store('counts').get(record.key), context.store('plain').get(record.key)]));
    });
    const flow = () => stateful(both, [storeOf('counts'), storeOf('plain', false)]);
    const first = await started(commits(0), flow());
    bench.append('in', [1, 2]);
    await bench.until(() => bench.committed() === 2 && applied(first).length > 0);
    killAfterCommit(first);
    bench.append('in', [3]);
    await bench.until(() => bench.committed() === 3);
    bench.append('in', [4]);
    const second = machine.start(flow(), commits(0));
    await bench.until(() => bench.committed() === 4);
    expect(written(bench, 'out').at(-1)).toBe('k=[4,4]');
    await second.stop();
    // Elsewhere the one with a changelog is complete, and the other starts empty, which is said.
    bench.append('in', [5]);
    new Machine(bench).start(flow(), commits(0));
    await bench.until(() => bench.committed() === 5);
    expect(written(bench, 'out').at(-1)).toBe('k=[5,1]');
    expect(bench.warnings.map(({ message }) => message)).toContain('no state for committed input: these stores start empty here');
  });
});

describe('C5: where tasks begin', () => {
  test('is committed before the first record goes to a changelog', async () => {
    bench.append('in', [1]);
    const process = machine.start(counted(), { ...EXACTLY_ONCE, ...commits(0) });
    await bench.until(() => process.diary.includes(`send ${CHANGELOG}`));
    expect(process.diary.indexOf('commit')).toBeGreaterThan(-1);
    expect(process.diary.indexOf('commit')).toBeLessThan(process.diary.indexOf(`send ${CHANGELOG}`));
  });

  test('a crash in the first transaction leaves a group that starts again', async () => {
    bench.append('in', [1]);
    const first = machine.start(counted(), { ...EXACTLY_ONCE, ...commits(0) });
    first.mortal.alsoOnCall((call, when) => {
      if (call !== 'transaction.commit' || when !== 'before' || written(bench, CHANGELOG, 'read_uncommitted').length > 0) return;
      // What it sent gets to the broker, as with a real one.
      void first.mortal.sink?.flush();
      first.kill();
    });
    await bench.until(() => first.mortal.dead);
    expect(written(bench, CHANGELOG, 'read_uncommitted')).toEqual(['k=1']);
    const second = machine.start(counted(), { ...EXACTLY_ONCE, ...commits(0) });
    await bench.until(() => bench.committed() === 1);
    await second.stop();
    expect(written(bench, 'out')).toEqual(['k=1']);
  });

  test('offsets of a topic that the group does not subscribe to are committed again before a minute has passed', async () => {
    bench.broker.createTopic('more', 1);
    const process = machine.start(counted(['in', 'more']), commits(0));
    await bench.until(() => bench.committed('more') === 0 && bench.committed('in') === 0);
    const made = (): number => process.diary.filter((call) => call === 'commit').length;
    const before = made();
    bench.clock.advance(30_000);
    await bench.until(() => made() > before);
    bench.clock.advance(30_000);
    await bench.until(() => made() > before + 1);
  });
});
