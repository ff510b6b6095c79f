import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BrokerError, RetriableError } from '../../../src/core/errors.js';
import type { GroupMember } from '../../../src/core/transport.js';
import { Gate } from './harness.js';
import { copy, over, WorkerBench } from './worker-bench.js';

let bench: WorkerBench;

beforeEach(() => {
  bench = WorkerBench.withTopics('out');
  bench.broker.createTopic('in', 2);
});

afterEach(() => bench.close());

/** Offsets of partition 1 come only after the gate has opened: somebody left a transaction open that may change them. */
const unstable = (gate: Gate) => (member: GroupMember) =>
  over(member, {
    committed: async (partitions) => {
      if (partitions.some(({ partition }) => partition === 1)) await gate.opened;
      return member.committed(partitions);
    },
  });

/** A worker with partition 0 that is to take partition 1 over, whose offsets are not there yet. */
async function takingOver(gate: Gate) {
  const other = bench.start(copy());
  await bench.until(() => bench.committed('in', 0) === 0 && bench.committed('in', 1) === 0);
  const both = bench.start(copy(), {}, { member: unstable(gate) });
  await bench.until(() => bench.broker.group('app').size === 2);
  return { other, both };
}

describe('S4: tasks whose committed offsets are not stable yet', () => {
  test('wait for them while others go on', async () => {
    const gate = new Gate();
    const { other, both } = await takingOver(gate);
    await other.stop();
    bench.append('in', ['a'], 0);
    bench.append('in', ['b'], 1);
    await bench.until(() => bench.committed('in', 0) === 1);
    bench.append('in', ['c'], 0);
    await bench.until(() => bench.committed('in', 0) === 2);
    expect(both.worker.unready).toEqual(['restoring state']);
    expect((await both.worker.status()).state).toBe('restoring');
    expect(bench.committed('in', 1)).toBe(0);
    gate.open();
    await bench.until(() => bench.committed('in', 1) === 1);
    expect(both.worker.unready).toEqual([]);
    expect([...bench.values('out')].sort()).toEqual(['a', 'b', 'c']);
  });

  test('that go elsewhere meanwhile are forgotten', async () => {
    const gate = new Gate();
    const { other, both } = await takingOver(gate);
    await other.stop();
    await bench.until(() => bench.infos.some(({ message }) => message.startsWith('these tasks wait')));
    const third = bench.start(copy());
    bench.append('in', ['b'], 1);
    await bench.until(() => bench.committed('in', 1) === 1);
    gate.open();
    bench.append('in', ['a'], 0);
    bench.append('in', ['c'], 1);
    await bench.until(() => bench.committed('in', 0) === 1 && bench.committed('in', 1) === 2);
    expect(both.worker.unready).toEqual([]);
    expect((await both.worker.status()).tasks).toHaveLength(1);
    expect((await third.worker.status()).tasks).toHaveLength(1);
    expect([...bench.values('out')].sort()).toEqual(['a', 'b', 'c']);
  });

  test('do not keep a stop waiting', async () => {
    const { other, both } = await takingOver(new Gate());
    await other.stop();
    await bench.until(() => bench.infos.some(({ message }) => message.startsWith('these tasks wait')));
    await both.stop();
    expect(await both.ended).toBe(undefined);
  });

  test('are asked for again while the broker is in the way; what repeating does not help ends the run', async () => {
    const answers = [new RetriableError('broker/unavailable', 'not now'), new BrokerError('broker/group-authorization', 'denied')];
    const { ended } = bench.start(
      copy(),
      {},
      {
        member: (member) => over(member, { committed: () => Promise.reject(answers.shift() ?? new Error('asked too often')) }),
      },
    );
    expect(await ended).toMatchObject({ code: 'broker/group-authorization' });
    expect(bench.warnings.map(({ fields }) => fields.code)).toContain('broker/unavailable');
  });
});
