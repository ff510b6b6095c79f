import { describe, expect, test } from 'vitest';
import { RetriableError, TaskMigratedError } from '../../../src/core/errors.js';
import { OutputBatch } from '../../../src/core/output-batch.js';
import type { CommittedOffset, Isolation, Sink, Transaction } from '../../../src/core/transport.js';
import type { MemoryBroker } from '../../../src/testing/memory-broker.js';

import { broker, bytes, type Consumer, memberOf, t0 } from './consumer.js';

describe('transactions', () => {
  const send = (sink: Sink, value: string): unknown =>
    sink.send(OutputBatch.of({ topic: 't', partition: 0, key: null, value: bytes(value), timestamp: 1, headers: [] }));
  const at = (offset: number): CommittedOffset[] => [{ ...t0, offset, metadata: '' }];
  const shown = (cluster: MemoryBroker, isolation?: Isolation): string[] => cluster.records('t', isolation).map(({ value }) => `${value}`);

  /** A transactional sink, and a member that owns the partition. */
  async function ready(): Promise<{ cluster: MemoryBroker; sink: Sink; transaction: Transaction; one: Consumer }> {
    const cluster = broker();
    const sink = await cluster.sink({ transactionalId: 'id' });
    const one = await memberOf(cluster);
    await one.member.join(['t'], one);
    return { cluster, sink, transaction: sink.transaction as Transaction, one };
  }

  test('hold their offsets while open; a marker takes one', async () => {
    const { cluster, sink, transaction, one } = await ready();
    send(sink, 'a');
    await sink.flush();
    cluster.append('t', { value: bytes('behind') });
    expect([shown(cluster), shown(cluster, 'read_uncommitted')]).toEqual([[], ['a', 'behind']]);
    await transaction.commit(at(5), one.member);
    expect(cluster.records('t').map(({ offset }) => offset)).toEqual([0, 1]);
    expect(cluster.log(t0).high).toBe(3);
    expect(cluster.group('g').committed(t0)).toEqual(at(5)[0]);
  });

  test('fail when asked to: aborted, and in the way only once', async () => {
    const { cluster, sink, transaction, one } = await ready();
    cluster.transactions.failNextCommit(new RetriableError('broker/unavailable', 'as asked'));
    send(sink, 'a');
    await expect(transaction.commit(at(5), one.member)).rejects.toMatchObject({ code: 'broker/transaction-aborted' });
    expect([shown(cluster), cluster.group('g').committed(t0), transaction.since]).toEqual([[], undefined, undefined]);
    send(sink, 'a');
    await transaction.commit(at(5), one.member);
    expect(shown(cluster)).toEqual(['a']);
  });

  test('fail when asked to, although they are committed', async () => {
    const { cluster, sink, transaction, one } = await ready();
    cluster.transactions.failNextCommit(new TaskMigratedError('broker/transaction-unresolved', 'as asked'), { committed: true });
    send(sink, 'a');
    await expect(transaction.commit(at(5), one.member)).rejects.toMatchObject({ code: 'broker/transaction-unresolved' });
    expect([shown(cluster), cluster.group('g').committed(t0)?.offset]).toEqual([['a'], 5]);
  });

  test('are aborted when the broker finds them too old, and their sink is fenced', async () => {
    const { cluster, sink, transaction, one } = await ready();
    send(sink, 'a');
    await sink.flush();
    cluster.transactions.expire('id');
    await expect(transaction.commit(at(5), one.member)).rejects.toMatchObject({ code: 'broker/producer-fenced' });
    expect(shown(cluster)).toEqual([]);
  });

  test('wait for a broker that is away', async () => {
    const { cluster, sink, transaction, one } = await ready();
    send(sink, 'a');
    cluster.setReachable(false);
    const committing = transaction.commit(at(5), one.member);
    cluster.setReachable(true);
    await committing;
    expect(shown(cluster)).toEqual(['a']);
  });

  test('put out with its member', async () => {
    const { cluster, sink, transaction, one } = await ready();
    send(sink, 'a');
    cluster.group('g').expire();
    await expect(transaction.commit(at(5), one.member)).rejects.toMatchObject({ code: 'broker/member-removed' });
    expect([shown(cluster), cluster.group('g').committed(t0)]).toEqual([[], undefined]);
  });
});
