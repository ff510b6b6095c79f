import { describe, expect, it } from 'vitest';
import { OutputBatch } from '../../../src/core/output-batch.js';
import type { PackedAddon, PackedHandle } from '../../../src/kafka/native/addon.js';
import { PackedEnqueuer } from '../../../src/kafka/packed-enqueuer.js';

const HANDLE = {} as PackedHandle;

interface Call {
  readonly values: (string | undefined)[];
  readonly timestamps: number[];
  finish(failures?: Int32Array): void;
  fail(error: Error): void;
}

/** An addon whose calls wait until they are told to end. */
function setUp() {
  const calls: Call[] = [];
  const refused: [code: number, topic: string][] = [];
  let underWay = 0;
  let most = 0;
  const addon = {
    produce: async (handle, topics, count, fields, timestamps, sources) => {
      expect(handle).toBe(HANDLE);
      most = Math.max(most, ++underWay);
      const sent = Object.assign(new OutputBatch(), { topics, length: count, fields, timestamps, sources });
      const values = Array.from({ length: count }, (_, i) => sent.valueAt(i)?.toString());
      try {
        return await new Promise<Int32Array | undefined>((finish, fail) => {
          calls.push({ values, timestamps: [...timestamps.subarray(0, count)], finish, fail });
        });
      } finally {
        underWay--;
      }
    },
    detach: async () => calls.at(-1)?.finish(Int32Array.of(0, -197)),
  } as Pick<PackedAddon, 'produce' | 'detach'> as PackedAddon;
  const enqueuer = new PackedEnqueuer(addon, HANDLE, ({ code }, topic) => refused.push([code, topic]));
  return { calls, refused, enqueuer, most: () => most };
}

const batch = (...values: string[]): OutputBatch =>
  OutputBatch.of(...values.map((value) => ({ topic: `of ${value}`, partition: 0, key: null, value: Buffer.from(value), timestamp: 9, headers: [] })));

const turns = () => new Promise(setImmediate);

describe('the packed enqueuer', () => {
  it('gives a batch to fill at once, and sends in order, one batch at a time', async () => {
    const { calls, enqueuer, most } = setUp();
    const [first, second, third] = [batch('a', 'b'), batch('c'), batch('d')];
    const free = enqueuer.send(first);
    expect(free).toBeInstanceOf(OutputBatch); // no promise: nothing to wait for
    expect(free).not.toBe(first);
    const next = enqueuer.send(second);
    let given: OutputBatch | undefined;
    void Promise.resolve(next).then((one) => (given = one));
    await turns();
    expect([calls.map(({ values }) => values), given]).toEqual([[['a', 'b']], undefined]);
    expect(first).toHaveLength(2); // not touched while the addon reads it
    calls[0]?.finish();
    expect(await next).toBe(first); // used again, empty
    expect(first).toHaveLength(0);
    const last = enqueuer.send(third);
    await turns();
    calls[1]?.finish();
    expect(await last).toBe(second);
    calls[2]?.finish();
    await enqueuer.settled();
    expect(calls.map(({ values }) => values)).toEqual([['a', 'b'], ['c'], ['d']]);
    expect(most()).toBe(1);
  });

  it('is settled when nothing is under way or waits', async () => {
    const { calls, enqueuer } = setUp();
    await enqueuer.settled();
    void enqueuer.send(batch('a'));
    void enqueuer.send(batch('b'));
    let settled = false;
    const all = enqueuer.settled().then(() => (settled = true));
    await turns();
    calls[0]?.finish();
    await turns();
    expect([calls.length, settled]).toEqual([2, false]);
    calls[1]?.finish();
    await all;
  });

  it('tells which records were not taken, with the topic of each, and goes on', async () => {
    const { calls, refused, enqueuer } = setUp();
    void enqueuer.send(batch('a', 'b', 'c'));
    calls[0]?.finish(Int32Array.of(0, 10, 2, -190));
    await enqueuer.settled();
    expect(refused).toEqual([
      [10, 'of a'],
      [-190, 'of c'],
    ]);
    void enqueuer.send(batch('d'));
    calls[1]?.finish();
    await enqueuer.settled();
    expect(refused).toHaveLength(2);
  });

  it('tells of a call that fails as a whole, and goes on', async () => {
    const { calls, refused, enqueuer } = setUp();
    void enqueuer.send(batch('a', 'b'));
    const next = enqueuer.send(batch('c'));
    calls[0]?.fail(Object.assign(new Error('gone'), { code: -150 }));
    await next;
    expect(refused).toEqual([[-150, 'of a']]);
    calls[1]?.finish();
    await enqueuer.settled();
    expect(refused).toHaveLength(1);
  });

  it('never asks for the present time: what is older than 1 ms is sent as 1 ms', async () => {
    const { calls, enqueuer } = setUp();
    const old = batch('a', 'b', 'c', 'd');
    old.timestamps.set([0, -1, Number.NaN, 2]);
    void enqueuer.send(old);
    calls[0]?.finish();
    await enqueuer.settled();
    expect(calls[0]?.timestamps).toEqual([1, 1, 1, 2]);
  });

  it('ends a wait for room when it is detached: who waited is told, and so is what was under way', async () => {
    const { calls, refused, enqueuer } = setUp();
    void enqueuer.send(batch('a'));
    const waiting = Promise.resolve(enqueuer.send(batch('b'))).catch((error: unknown) => error);
    await enqueuer.detach();
    expect(await waiting).toMatchObject({ name: 'RetriableError', code: 'broker/not-delivered', message: 'of b: the sink was closed' });
    expect(refused).toEqual([[-197, 'of a']]);
    expect(calls).toHaveLength(1);
  });
});
