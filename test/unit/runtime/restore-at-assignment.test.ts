import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BrokerError } from '../../../src/core/errors.js';
import type { PartitionReader, Transport } from '../../../src/core/transport.js';
import { CHANGELOG, commits, counted, EXACTLY_ONCE, Machine, stateful, storeOf, written } from './changelog-bench.js';
import { counting, Gate } from './harness.js';
import { over, WorkerBench } from './worker-bench.js';

let bench: WorkerBench;
let machine: Machine;

beforeEach(() => {
  bench = WorkerBench.withTopics('out');
  bench.broker.createTopic('in', 2);
  machine = new Machine(bench);
});

afterEach(() => bench.close());

/** State of both partitions, in changelogs only. */
async function history(options: object = {}): Promise<void> {
  bench.append('in', [1, 2, 3], 0, 'a');
  bench.append('in', [1, 2], 1, 'b');
  const process = new Machine(bench).start(counted(), options);
  await bench.until(() => bench.committed('in', 0) === 3 && bench.committed('in', 1) === 2);
  await process.stop();
}

/** A reader of changelogs that gives no record of one partition before the gate opens. */
function slowly(partition: number, gate: Gate): Transport {
  const { broker } = bench;
  const slow = (reader: PartitionReader): PartitionReader => {
    let open = false;
    void gate.opened.then(() => {
      open = true;
    });
    let held: Parameters<PartitionReader['assign']>[0][number][] = [];
    return over(reader, {
      assign: (positions) => {
        if (open) return reader.assign(positions);
        held.push(...positions.filter((one) => one.partition === partition));
        reader.assign(positions.filter((one) => one.partition !== partition));
      },
      unassign: (partitions) => {
        held = held.filter((one) => !partitions.some((gone) => gone.partition === one.partition));
        reader.unassign(partitions.filter((one) => one.partition !== partition || open));
      },
      read: (max) => {
        if (open && held.length > 0) reader.assign(held.splice(0));
        return reader.read(max);
      },
    });
  };
  return {
    member: (options) => broker.member(options),
    reader: async (options) => slow(await broker.reader(options)),
    sink: (options) => broker.sink(options),
    admin: () => broker.admin(),
    onReachable: (listener) => broker.onReachable(listener),
  };
}

describe('S4: restore at assignment', () => {
  test('a task starts when its stores are what they were; others go on meanwhile', async () => {
    await history();
    const gate = new Gate();
    const process = machine.start(counted(), { transport: slowly(0, gate), ...commits(0) });
    bench.append('in', [4], 0, 'a');
    bench.append('in', [3], 1, 'b');
    await bench.until(() => written(bench, 'out').includes('b=3'));
    expect(process.worker.unready).toEqual(['restoring state']);
    expect(written(bench, 'out')).not.toContain('a=4');
    bench.append('in', [4], 1, 'b');
    await bench.until(() => bench.committed('in', 1) === 4);
    gate.open();
    await bench.until(() => written(bench, 'out').includes('a=4'));
    expect(process.worker.unready).toEqual([]);
  });

  test('a revoke in the middle suspends it; whoever gets the partition restores it', async () => {
    await history();
    const gate = new Gate();
    const process = machine.start(counted(), { transport: slowly(0, gate), ...commits(0) });
    await bench.until(() => process.worker.unready.includes('restoring state'));
    // The new member gets one of the two; stopping it hands that back.
    const other = new Machine(bench).start(counted(), commits(0));
    await bench.until(() => other.worker.unready.length === 0 && bench.broker.group('app').size === 2);
    bench.append('in', [4], 0, 'a');
    bench.append('in', [3], 1, 'b');
    gate.open();
    await bench.until(() => written(bench, 'out').includes('a=4') && written(bench, 'out').includes('b=3'));
    await other.stop();
    bench.append('in', [5], 0, 'a');
    bench.append('in', [4], 1, 'b');
    await bench.until(() => written(bench, 'out').includes('a=5') && written(bench, 'out').includes('b=4'));
    expect(written(bench, 'out').sort()).toEqual(['a=1', 'a=2', 'a=3', 'a=4', 'a=5', 'b=1', 'b=2', 'b=3', 'b=4']);
  });

  test('a stop in the middle ends the run, and the next start restores it', async () => {
    await history();
    const process = machine.start(counted(), { transport: slowly(0, new Gate()), ...commits(0) });
    await bench.until(() => process.worker.unready.includes('restoring state'));
    await process.stop();
    bench.append('in', [4], 0, 'a');
    machine.start(counted(), commits(0));
    await bench.until(() => written(bench, 'out').includes('a=4'));
  });

  test('a restore that fails ends the run with its error', async () => {
    await history();
    const { broker } = bench;
    const transport: Transport = {
      ...slowly(0, new Gate()),
      reader: async (options) =>
        over(await broker.reader(options), { read: () => Promise.reject(new BrokerError('broker/topic-authorization', 'access to the changelog is denied')) }),
    };
    expect(await machine.start(counted(), { transport }).ended).toMatchObject({ code: 'broker/topic-authorization' });
  });

  test('what an open transaction holds up is waited for, and what it aborts is not restored', async () => {
    await history(EXACTLY_ONCE);
    const foreign = await bench.broker.sink({ transactionalId: 'frozen' });
    const { OutputBatch } = await import('../../../src/core/output-batch.js');
    const outputs = new OutputBatch();
    outputs.add(CHANGELOG, 0, 1000, 0);
    outputs.key(Buffer.from('a'));
    outputs.value(Buffer.from('99'));
    await foreign.send(outputs);
    await foreign.flush();
    const process = machine.start(counted(), { ...EXACTLY_ONCE, ...commits(0) });
    bench.append('in', [4], 0, 'a');
    bench.append('in', [3], 1, 'b');
    await bench.until(() => written(bench, 'out').includes('b=3'));
    expect(process.worker.unready).toEqual(['restoring state']);
    bench.broker.transactions.expire('frozen');
    await bench.until(() => written(bench, 'out').includes('a=4'));
  });
});

describe('what does not belong together is refused', () => {
  test('C5: a changelog with records, but no offset of the group', async () => {
    await history();
    const { ended } = machine.start(renamed());
    expect(await ended).toMatchObject({ code: 'state/offset-missing', message: expect.stringContaining(`the changelog ${CHANGELOG}-`) });
  });

  test('local state beside a changelog that was made anew', async () => {
    bench.append('in', [1], 0, 'a');
    bench.append('in', [1], 1, 'b');
    const first = machine.start(counted(), commits(0));
    await bench.until(() => bench.committed('in', 0) === 1 && bench.committed('in', 1) === 1);
    await first.stop();
    bench.broker.deleteTopic(CHANGELOG);
    expect(await machine.start(counted()).ended).toMatchObject({ code: 'state/changelog-lost' });
  });

  test('C5: a changelog with fewer partitions than its input', async () => {
    bench.broker.createTopic(CHANGELOG, 1, { 'cleanup.policy': 'compact' });
    const error = await machine.start(counted()).ended;
    expect(error).toMatchObject({ code: 'changelog/partitions' });
    expect((error as Error).message).toMatch(/has 1 partitions, but its input "in" has 2/);
  });

  test('S16: a changelog whose policy removes state', async () => {
    bench.broker.createTopic(CHANGELOG, 2, { 'cleanup.policy': 'delete' });
    expect(await machine.start(counted()).ended).toMatchObject({ code: 'topic/cleanup-policy' });
  });

  test('a changelog that is deleted while the worker runs and has nothing to write: the watch tells', async () => {
    const process = machine.start(counted(), { ...commits(0), watchMs: 20 });
    await bench.until(() => bench.committed('in', 0) === 0);
    bench.broker.deleteTopic(CHANGELOG);
    expect(await process.ended).toMatchObject({ code: 'changelog/recreated' });
  });
});

/** Another group with the same changelog. */
function renamed() {
  const flow = stateful(counting('counts'), [storeOf('counts')]);
  return Object.assign(flow, {
    build: () => Object.assign(Object.create(stateful(counting('counts'), [storeOf('counts')]).build()), { applicationId: 'other' }),
  });
}
