import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Processor } from '../../../src/core/processor.js';
import { commits, expectCounted, Machine, stateful } from './changelog-bench.js';
import { each, onError } from './harness.js';
import { WorkerBench } from './worker-bench.js';

let bench: WorkerBench;
let machine: Machine;

beforeEach(() => {
  bench = WorkerBench.withTopics('in', 'out', 'dead');
  machine = new Machine(bench);
});

afterEach(() => bench.close());

describe('C3: work that is slower than the transaction timeout', () => {
  const SLOW = { transactions: { id: 'app-one-0', timeoutMs: 600 }, ...commits(300) } as const;

  /** What a broker does to a transaction that is open for too long. */
  function expiring(process: ReturnType<Machine['start']>): () => void {
    const timer = setInterval(() => {
      if (process.mortal.openFor() > SLOW.transactions.timeoutMs) bench.broker.transactions.expire('app-one-0');
    }, 10);
    return () => clearInterval(timer);
  }

  const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

  test('a batch alone takes longer: it comes through', async () => {
    const slow = each(async (record, context) => {
      if (record.value === 'slow') await wait(1000);
      const counts = context.store<string, number>('counts');
      counts.put(record.key, (counts.get(record.key) ?? 0) + 1);
      context.forward(record.withValue(counts.get(record.key)));
    });
    const process = machine.start(stateful(slow), { ...SLOW, batch: { maxRecords: 3, maxWaitMs: 1000, maxBytes: 1e6 } });
    const end = expiring(process);
    bench.append('in', ['a', 'b', 'c', 'slow', 'd', 'e', 'f', 'slow', 'g']);
    await expectCounted(bench, machine, 9);
    end();
  }, 60_000);

  test('a record whose retries take longer, behind records of its own batch: it comes through', async () => {
    let longest = 0;
    // What fails does so as often in each instance: a worker that joins anew meets it again.
    const failing = (): Processor => {
      let failures = 0;
      return each((record, context) => {
        longest = Math.max(longest, failures);
        if (record.value === 'slow' && failures++ < 4) throw new Error('not now');
        const counts = context.store<string, number>('counts');
        counts.put(record.key, (counts.get(record.key) ?? 0) + 1);
        context.forward(record.withValue(counts.get(record.key)));
      })();
    };
    const process = machine.start(stateful(failing), { ...SLOW, onError: onError('fail', 5, { from: 400, to: 1000 }) });
    const end = expiring(process);
    bench.append('in', ['a', 'b', 'c', 'slow', 'd']);
    await expectCounted(bench, machine, 5);
    end();
    expect(longest).toBeGreaterThan(4);
  }, 60_000);

  test('each record of a batch that is split takes a good part: it comes through', async () => {
    const slow = (): Processor => {
      let tries = 0;
      return each(async (record, context) => {
        await wait(250);
        if (record.value === 'bad' && tries++ < 5) throw new Error('not now');
        const counts = context.store<string, number>('counts');
        counts.put(record.key, (counts.get(record.key) ?? 0) + 1);
        context.forward(record.withValue(counts.get(record.key)));
      })();
    };
    const process = machine.start(stateful(slow), { ...SLOW, onError: onError('fail', 5, { from: 1, to: 1 }) });
    const end = expiring(process);
    bench.append('in', ['a', 'b', 'c', 'd', 'bad', 'e', 'f', 'g']);
    await expectCounted(bench, machine, 8);
    end();
  }, 60_000);
});
