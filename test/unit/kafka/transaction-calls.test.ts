import { describe, expect, it, vi } from 'vitest';
import { TaskMigratedError } from '../../../src/core/errors.js';
import type { KafkaSink } from '../../../src/kafka/sink.js';
import type { Callback, StockProducer } from '../../../src/kafka/stock.js';
import { TransactionCalls } from '../../../src/kafka/transaction-calls.js';
import { TransactionalSink } from '../../../src/kafka/transactional-sink.js';

const ANSWERED_WITHIN_MS = 20;

/** Calls that are answered when the test says so. */
function pending() {
  const open: Callback[] = [];
  return { call: (done: Callback) => void open.push(done), open };
}

describe('calls of transactions', () => {
  it('are made one at a time, the last one is waited for at the end, and none begins after it', async () => {
    const calls = new TransactionCalls();
    const { call, open } = pending();
    const [first, second] = [calls.once(call), calls.once(call)];
    await new Promise(setImmediate);
    expect(open).toHaveLength(1);
    open[0]?.(null);
    expect(await first).toBeUndefined();
    await vi.waitFor(() => expect(open).toHaveLength(2), { timeout: 20_000 });
    let ended = false;
    const end = calls.end().then(() => {
      ended = true;
    });
    await new Promise(setImmediate);
    expect(ended).toBe(false);
    open[1]?.(null);
    await end;
    expect(await second).toBeUndefined();
    expect(await calls.once(call)).toMatchObject({ message: 'the sink was closed' });
    expect(open).toHaveLength(2);
  });

  it('end with the first that is not answered, which leaves the producer to be disconnected when it is', async () => {
    const calls = new TransactionCalls(ANSWERED_WITHIN_MS);
    const { call, open } = pending();
    const [first, second] = [calls.once(call), calls.once(call)];
    expect(await first).toMatchObject({ isFatal: true });
    expect(await second).toMatchObject({ message: 'the sink was closed' });
    await calls.end();
    expect(open).toHaveLength(1);
    let late = false;
    void calls.late?.then(() => {
      late = true;
    });
    await new Promise(setImmediate);
    expect(late).toBe(false);
    open[0]?.(null);
    await calls.late;
    expect(late).toBe(true);
  });

  it('that are answered in time leave nothing behind', async () => {
    const calls = new TransactionCalls(ANSWERED_WITHIN_MS);
    expect(await calls.once((done) => done(null))).toBeUndefined();
    await calls.end();
    expect(calls.late).toBeUndefined();
  });
});

describe('a transaction whose call is not answered', () => {
  it('ends its producer, which is closed when the answer comes', async () => {
    const { call, open } = pending();
    const producer = { beginTransaction: (done: Callback) => done(null), commitTransaction: (_: number, done: Callback) => call(done) };
    let closed = false;
    const close = async (): Promise<void> => {
      closed = true;
    };
    const sink = { flush: async () => {}, close } as unknown as KafkaSink;
    const calls = new TransactionCalls(ANSWERED_WITHIN_MS);
    const made = new TransactionalSink(producer as unknown as StockProducer, calls, sink, 1_000);
    await made.transaction.begin();
    await expect(made.transaction.commit([], undefined as never)).rejects.toThrow(TaskMigratedError);
    await made.close();
    expect(closed).toBe(false);
    open[0]?.(null);
    await calls.late;
    await new Promise(setImmediate);
    expect(closed).toBe(true);
  });
});
