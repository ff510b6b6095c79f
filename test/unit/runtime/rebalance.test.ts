import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { counting, each, Flow, pass } from './harness.js';
import { copy, count, WorkerBench } from './worker-bench.js';

const HOUR = 3_600_000;

let bench: WorkerBench;

beforeEach(() => {
  bench = WorkerBench.withTopics('in', 'out', 'dead');
});

afterEach(() => bench.close());

describe('C5: partitions come and go', () => {
  test('the offset of every partition, idle or not, is committed on assignment and each hour', async () => {
    bench.broker.createTopic('two', 2);
    const { diary } = bench.start(
      new Flow()
        .source('in', { topics: ['two'] })
        .step('copy', ['in'], pass)
        .sink('out', ['copy']),
    );
    await bench.until(() => diary.includes('committed two-1@0'));
    expect(diary).toContain('committed two-0@0');
    bench.clock.advance(HOUR - 1);
    bench.append('two', ['a'], 0);
    await bench.until(() => diary.includes('committed two-0@1'));
    expect(diary.filter((entry) => entry === 'committed two-1@0')).toHaveLength(1);
    bench.clock.advance(1);
    bench.append('two', ['b'], 0);
    await bench.until(() => diary.includes('committed two-0@2'));
    expect(diary.filter((entry) => entry === 'committed two-1@0')).toHaveLength(2);
  });

  test('S14, T5: beside each offset stand the partition time, the definition and the lead topic', async () => {
    bench.start(copy());
    bench.append('in', [1]);
    await bench.until(() => bench.committed() === 1);
    expect(bench.broker.group('app').committed({ topic: 'in', partition: 0 })?.metadata).toMatch(/^kstreamd\/1;t=1000;d=[0-9a-f]{12};l=in$/);
  });

  test('T5: after a restart stream time goes on, and what fired does not fire again', async () => {
    const ticking = (): Flow =>
      new Flow()
        .source('in')
        .step(
          'ticking',
          ['in'],
          each(
            () => {},
            (context) => void context.schedule(1000, 'stream-time', (time) => context.forward({ key: 'k', value: time, timestamp: time })),
          ),
        )
        .sink('out', ['ticking']);
    const first = bench.start(ticking());
    bench.append('in', [1]);
    await bench.until(() => bench.committed() === 1);
    await first.stop();
    bench.start(ticking());
    bench.append('in', [2]);
    bench.broker.append('in', { timestamp: 2500 });
    await bench.until(() => bench.committed() === 3);
    expect(bench.values('out')).toEqual([1000, 2500]);
  });

  test('on revoke what was processed is committed', async () => {
    bench.broker.createTopic('two', 2);
    const flow = (): Flow =>
      new Flow()
        .source('in', { topics: ['two'] })
        .step('copy', ['in'], pass)
        .sink('out', ['copy']);
    const first = bench.start(flow(), { commit: { intervalMs: HOUR, flushMs: 1000, maxBufferedBytes: 64e6 } });
    await bench.until(() => first.diary.includes('committed two-1@0'));
    bench.append('two', [1, 2], 0);
    bench.append('two', [3, 4], 1);
    await bench.until(() => first.diary.filter((entry) => entry.startsWith('send')).length === 4);
    expect([bench.committed('two', 0), bench.committed('two', 1)]).toEqual([0, 0]);
    const second = bench.start(flow(), { commit: { intervalMs: HOUR, flushMs: 1000, maxBufferedBytes: 64e6 } });
    await bench.until(() => second.diary.some((entry) => entry.startsWith('committed two-')));
    expect([bench.committed('two', 0), bench.committed('two', 1)]).toEqual([2, 2]);
    expect(bench.values('out')).toHaveLength(4);
  });

  test('lost partitions never commit', async () => {
    const { diary } = bench.start(copy(), { commit: { intervalMs: HOUR, flushMs: 1000, maxBufferedBytes: 64e6 } });
    await bench.until(() => bench.committed() === 0);
    bench.append('in', [1, 2]);
    await bench.until(() => diary.includes('send 2'));
    bench.broker.group('app').expire();
    const before = diary.length;
    await bench.until(() => diary.slice(before).includes('send 2'));
    // They come back, and are processed from where they were committed before anything more is.
    const meanwhile = diary.slice(before, diary.indexOf('send 1', before));
    expect(meanwhile.filter((entry) => entry.startsWith('committed') && entry !== 'committed in-0@0')).toEqual([]);
  });

  test('two workers join and leave while records flow: nothing is lost or doubled', async () => {
    bench.broker.createTopic('many', 4);
    const flow = (): Flow =>
      new Flow()
        .source('in', { topics: ['many'] })
        .step('count', ['in'], counting('counts'), { stores: ['counts'] })
        .sink('out', ['count']);
    let n = 0;
    const feed = (): void => {
      for (let partition = 0; partition < 4; partition++) bench.append('many', [n++], partition, `k${partition}`);
    };
    const total = (): number => bench.broker.records('out').length;
    const first = bench.start(flow());
    for (let i = 0; i < 10; i++) feed();
    await bench.until(() => total() >= 20);
    const second = bench.start(flow());
    // The first may be done with what there is before the second has joined.
    await bench.until(() => {
      feed();
      return second.diary.some((entry) => entry.startsWith('send'));
    });
    for (let i = 0; i < 10; i++) feed();
    await first.stop();
    for (let i = 0; i < 10; i++) feed();
    const each = n / 4;
    await bench.until(() => [0, 1, 2, 3].every((partition) => bench.committed('many', partition) === each));
    for (let key = 0; key < 4; key++) {
      const counts = bench.broker
        .records('out')
        .filter((record) => String(record.key) === `k${key}`)
        .map(({ value }) => Number(value));
      expect(counts).toEqual(Array.from({ length: each }, (_, i) => i + 1));
    }
  });

  test('an instance without partitions waits quietly', async () => {
    const first = bench.start(copy());
    await bench.until(() => bench.committed() === 0);
    const idle = bench.start(copy());
    await bench.until(() => idle.worker.unready.length === 0);
    bench.append('in', [1, 2, 3]);
    await bench.until(() => bench.committed() === 3);
    await idle.stop();
    expect(first.diary).toContain('send 3');
  });

  test('a missing offset of a partition that has local state is an error', async () => {
    const first = bench.start(count());
    bench.append('in', [1, 2]);
    await bench.until(() => bench.committed() === 2);
    await first.stop();
    const other = new Flow('renamed')
      .source('in')
      .step('count', ['in'], counting('counts'), { stores: ['counts'] })
      .sink('out', ['count']);
    const error = await bench.start(other).ended;
    expect(error).toMatchObject({ code: 'state/offset-missing' });
    expect((error as Error).message).toContain('no committed offset for in-0');
  });

  test('where to start without any offset or state: earliest, latest, a time', async () => {
    bench.append('in', [1, 2]);
    bench.broker.append('in', { value: Buffer.from('3'), timestamp: 5000 });
    const from = (name: string, start: NonNullable<Parameters<Flow['source']>[1]>['start']): Flow =>
      new Flow(name).source('in', { start }).step('copy', ['in'], pass).sink('out', ['copy']);
    bench.start(from('latest', 'latest'));
    await bench.until(() => bench.committed('in', 0, 'latest') === 3);
    expect(bench.values('out')).toEqual([]);
    bench.start(from('timed', { at: 2000 }));
    await bench.until(() => bench.committed('in', 0, 'timed') === 3);
    expect(bench.values('out')).toEqual([3]);
    bench.start(from('earliest', 'earliest'));
    await bench.until(() => bench.committed('in', 0, 'earliest') === 3);
    expect(bench.values('out')).toEqual([3, 1, 2, 3]);
    expect(await bench.start(from('committed', 'committed')).ended).toMatchObject({ code: 'state/offset-missing' });
  });
});

describe('C4: a store never leads the offsets', () => {
  test('what an interrupted flush missed is replayed into the store, its outputs dropped', async () => {
    const first = bench.start(count());
    bench.append('in', ['a', 'b', 'c']);
    await bench.until(() => bench.committed() === 3);
    bench.disk.lose = true;
    bench.append('in', ['d', 'e']);
    await bench.until(() => bench.committed() === 5);
    await first.stop();
    expect(bench.values('out')).toEqual([1, 2, 3, 4, 5]);
    bench.disk.lose = false;
    bench.append('in', ['f']);
    bench.start(count());
    await bench.until(() => bench.committed() === 6);
    expect(bench.values('out')).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test('no punctuation fires while that is replayed, and what fires after it is written', async () => {
    const ticking = (): Flow =>
      new Flow()
        .source('in')
        .step(
          'ticking',
          ['in'],
          each(
            (record, context) => context.store('counts').put('n', record.value),
            (context) => void context.schedule(1000, 'wall-clock', () => context.forward({ key: 'k', value: context.store('counts').get('n'), timestamp: 1 })),
          ),
          { stores: ['counts'] },
        )
        .sink('out', ['ticking']);
    const first = bench.start(ticking());
    bench.append('in', [1, 2]);
    await bench.until(() => bench.committed() === 2);
    bench.disk.lose = true;
    bench.append('in', [3, 4]);
    await bench.until(() => bench.committed() === 4);
    await first.stop();
    bench.disk.lose = false;
    bench.start(ticking(), { batch: { maxRecords: 1, maxWaitMs: 10, maxBytes: 1e6 } });
    await bench.until(() => bench.values('out').length > 0, 400);
    expect(bench.values('out')[0]).toBe(4);
  });

  test('state ahead of the committed offset is refused', async () => {
    const first = bench.start(count());
    bench.append('in', ['a', 'b', 'c']);
    await bench.until(() => bench.committed() === 3);
    await first.stop();
    bench.broker.group('app').commit([{ topic: 'in', partition: 0, offset: 1, metadata: '' }]);
    expect(await bench.start(count()).ended).toMatchObject({ code: 'state/ahead' });
  });
});
