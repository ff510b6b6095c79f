import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FatalError, RetriableError } from '../../../src/core/errors.js';
import { each, Flow, Gate, whole } from './harness.js';
import { copy, count, over, WorkerBench } from './worker-bench.js';

const HOUR = 3_600_000;

let bench: WorkerBench;

beforeEach(() => {
  bench = WorkerBench.withTopics('in', 'out', 'dead');
});

afterEach(() => bench.close());

describe('C1, C2: outputs are acknowledged before offsets are committed', () => {
  test('C1: send, flush, commit, in this order', async () => {
    bench.append('in', [1, 2, 3]);
    const { diary } = bench.start(copy());
    await bench.until(() => bench.committed() === 3);
    const cycle = diary.filter((entry) => entry !== 'read' && entry !== 'committed in-0@0');
    expect(cycle.slice(cycle.indexOf('send 1'))).toEqual(['send 1', 'send 2', 'send 3', 'flushed', 'committed in-0@3']);
  });

  test('C2: a flush that fails leaves the offsets alone, and the cycle is done again', async () => {
    bench.append('in', [1, 2, 3]);
    bench.broker.failNextFlush(new RetriableError('broker/unavailable', 'gone for now'));
    const { diary } = bench.start(copy());
    await bench.until(() => bench.committed() === 3, 100);
    expect(bench.values('out')).toEqual([1, 2, 3]);
    expect(diary.filter((entry) => entry.startsWith('send'))).toHaveLength(6);
    expect(diary.indexOf('committed in-0@3')).toBeGreaterThan(diary.lastIndexOf('flushed') - 1);
  });

  test('C2: outputs that are lost in the last flush before the end are never committed over', async () => {
    bench.broker.refuse(() => true);
    const { diary, stop } = bench.start(copy(), { commit: { intervalMs: HOUR, flushMs: 1000, maxBufferedBytes: 64e6 } });
    await bench.until(() => bench.committed() === 0);
    bench.append('in', [1, 2, 3]);
    await bench.until(() => diary.includes('send 3'));
    await stop();
    expect(bench.committed()).toBe(0);
  });

  test('B6: a cycle that is done again does not count twice', async () => {
    bench.append('in', ['a', 'b']);
    bench.broker.failNextFlush(new RetriableError('broker/unavailable', 'gone for now'));
    bench.start(count());
    await bench.until(() => bench.committed() === 2, 100);
    expect(bench.values('out')).toEqual([1, 2]);
  });

  test('C1: commit.interval lets several cycles share one commit; a step may ask for one', async () => {
    const asks = each((record, context) => {
      context.forward(record);
      if (record.value === 'now') context.commit();
    });
    const { diary } = bench.start(new Flow().source('in').step('asks', ['in'], asks).sink('out', ['asks']), {
      commit: { intervalMs: HOUR, flushMs: 1000, maxBufferedBytes: 64e6 },
    });
    await bench.until(() => bench.committed() === 0);
    bench.append('in', [1]);
    await bench.until(() => diary.includes('send 1'));
    bench.append('in', [2]);
    await bench.until(() => diary.includes('send 2'));
    expect(bench.committed()).toBe(0);
    bench.append('in', ['now']);
    await bench.until(() => bench.committed() === 3);
  });

  test('E3: a commit that the broker refuses for now is repeated', async () => {
    bench.append('in', [1, 2]);
    bench.broker.failNextCommit(new RetriableError('broker/rebalancing', 'try later'));
    bench.broker.failNextCommit(new RetriableError('broker/rebalancing', 'try later'));
    bench.start(copy());
    await bench.until(() => bench.committed() === 2, 100);
    expect(bench.values('out')).toEqual([1, 2]);
  });

  test('E3: opening tasks is tried again while the broker is in the way', async () => {
    bench.append('in', [1]);
    let failures = 1;
    bench.start(
      copy(),
      {},
      {
        member: (member) =>
          over(member, {
            committed: (partitions) => (failures-- > 0 ? Promise.reject(new RetriableError('broker/unavailable', 'not now')) : member.committed(partitions)),
          }),
      },
    );
    await bench.until(() => bench.committed() === 1);
  });
});

describe('B5: what is committed is the next offset to process', () => {
  test('that of the next buffered record, however much was read ahead', async () => {
    const gate = new Gate();
    const begun: number[] = [];
    const slow = each(async (record) => {
      begun.push(record.value);
      await gate.opened;
    });
    bench.append('in', [1, 2, 3, 4, 5]);
    const { worker, ended } = bench.start(new Flow().source('in').step('slow', ['in'], slow), {
      batch: { maxRecords: 1, maxWaitMs: 10, maxBytes: 1e6 },
    });
    await bench.until(() => begun.length === 1);
    worker.stop();
    gate.open();
    await ended;
    expect(begun).toEqual([1]);
    expect(bench.committed()).toBe(1);
  });

  test('the same when a record fails: what came before it is committed, and the failing one is next', async () => {
    const failing = each((record) => {
      if (record.value === 4) throw new Error('no four');
    });
    bench.append('in', [1, 2, 3, 4, 5]);
    const error = await bench.start(new Flow().source('in').step('failing', ['in'], failing)).ended;
    expect(error).toBeInstanceOf(FatalError);
    expect((error as Error).message).toBe('in-0@3: step "failing": no four');
    expect(bench.committed()).toBe(3);
  });

  test('transaction markers are passed once no record waits', async () => {
    bench.append('in', [1, 2, 3]);
    const { diary, stop } = bench.start(
      copy(),
      { commit: { intervalMs: HOUR, flushMs: 1000, maxBufferedBytes: 64e6 } },
      {
        reader: (reader) =>
          over(reader, {
            position: (partition) => {
              const position = reader.position(partition);
              return position === undefined ? undefined : position + 1;
            },
          }),
      },
    );
    await bench.until(() => diary.includes('send 3'));
    const reads = diary.length;
    await bench.until(() => diary.slice(reads).includes('read'));
    await stop();
    expect(bench.committed()).toBe(4);
  });
});

describe('C6, C7: reading beside the tasks', () => {
  test('C6: reading goes on while a step is busy, and a slow batch is reported with its step', async () => {
    const gate = new Gate();
    let begun = false;
    const slow = each(() => {
      begun = true;
      return gate.opened;
    });
    bench.append('in', [1]);
    const { diary } = bench.start(new Flow().source('in').step('slowly', ['in'], slow), { slowBatchMs: 20 });
    await bench.until(() => begun);
    const before = diary.length;
    bench.append(
      'in',
      Array.from({ length: 2500 }, (_, i) => i),
    );
    // More than is kept ahead otherwise: the whole topic, and empty reads after it.
    await bench.until(() => diary.slice(before).filter((entry) => entry === 'read').length > 6);
    await bench.until(() => bench.warnings.some(({ message }) => message.includes('takes longer than 20 ms')));
    expect(bench.warnings.find(({ message }) => message.includes('takes longer'))?.fields).toMatchObject({ step: 'slowly', topic: 'in', offset: 0 });
    gate.open();
    await bench.until(() => bench.committed() === 2501);
  });

  test('C6: records that arrive while a step is busy are not taken for processed ones', async () => {
    let processed = 0;
    let appended = 0;
    const feeding = whole(async (records) => {
      processed += records.length;
      if (appended < 4000) {
        bench.append(
          'in',
          Array.from({ length: 400 }, (_, i) => i),
        );
        appended += 400;
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
    });
    bench.append('in', [0]);
    bench.start(new Flow().source('in').step('feeding', ['in'], feeding));
    await bench.until(() => processed === 4001);
    await bench.until(() => bench.committed() === 4001);
  });

  test('C7: partitions pause above the byte bound, and resume at half of it', async () => {
    const gate = new Gate();
    let left = 100;
    const slow = each(async () => {
      await gate.opened;
      left -= 1;
    });
    const leftAtResume: number[] = [];
    const payload = 'x'.repeat(97);
    for (let i = 0; i < 100; i++) bench.append('in', [payload]);
    const { diary } = bench.start(
      new Flow().source('in').step('slow', ['in'], slow),
      { batch: { maxRecords: 1, maxWaitMs: 10, maxBytes: 5000 } },
      {
        reader: (reader) =>
          over(reader, {
            read: () => reader.read(10),
            resume: (partitions) => {
              leftAtResume.push(left);
              reader.resume(partitions);
            },
          }),
      },
    );
    await bench.until(() => diary.includes('pause'));
    expect(leftAtResume).toEqual([]);
    gate.open();
    await bench.until(() => bench.committed() === 100);
    expect(leftAtResume.length).toBeGreaterThan(0);
    // 100 bytes a record: no more than half of the bound was held; the last 49 may not even have been read.
    expect(Math.max(...leftAtResume)).toBeLessThanOrEqual(100 - 26);
  });
});
