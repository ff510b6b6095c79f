import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { KeyValueStore } from '../../../src/core/store.js';
import { decodeState, emptyQueue, encodeState, type QueueEntry, QueueReader, type QueueState, queueAfter } from '../../../src/pipeline/waiting-queue.js';

const numRuns = Number(process.env.KSTREAMD_RUNS ?? 200);
const seed = Number(process.env.KSTREAMD_SEED ?? 20240101);

/** A queue in rows, as a processor keeps it: what is read in a batch, written at its end. */
class Queue {
  private readonly rows = new Map<string, Buffer>();
  private row = encodeState(emptyQueue(1, 1, 0));
  private readonly store = { name: 'queue', get: (row: Buffer) => this.rows.get(row.toString('latin1')) ?? null } as KeyValueStore<Buffer, Buffer>;

  get stretches(): number {
    return this.rows.size;
  }

  get state(): QueueState {
    return decodeState(this.row);
  }

  all(): QueueEntry[] {
    const reader = new QueueReader(this.store, this.state);
    const all: QueueEntry[] = [];
    while (reader.since !== undefined) all.push(reader.take());
    return all;
  }

  /** Lets `gone` go, and adds; numbers are lost where `lost` begin to wait and leave at once, which only those do that find nobody before them. */
  batch(gone: number, added: readonly QueueEntry[], lost: number): void {
    const { state } = this;
    const done: Buffer[] = [];
    const reader = new QueueReader(this.store, state, (row) => done.push(row));
    for (let i = 0; i < gone && reader.since !== undefined; i++) reader.skip();
    const next = state.next + added.length + (reader.since === undefined ? lost : 0);
    const written: [Buffer, Buffer][] = [];
    const after = queueAfter(state, { reader, added, next }, (row, entries) => written.push([row, entries]));
    for (const row of done) expect(this.rows.delete(row.toString('latin1'))).toBe(true);
    for (const [row, entries] of written) this.rows.set(row.toString('latin1'), entries);
    this.row = encodeState({ ...state, ...after });
  }
}

const added = fc.oneof(
  { weight: 4, arbitrary: fc.array(fc.nat(40), { maxLength: 12 }) },
  { weight: 1, arbitrary: fc.array(fc.constantFrom(5, 300, 20_000), { maxLength: 80 }) },
);

describe('the queue of what waits', () => {
  test('is a queue, whatever the stretches it is cut into', () => {
    let most = 0;
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(60), added, fc.nat(3)), { maxLength: 30 }), (batches) => {
        const queue = new Queue();
        let model: QueueEntry[] = [];
        let number = 0;
        for (const [gone, lengths, lost] of batches) {
          const entries = lengths.map((length) => ({ key: `${++number}`.padEnd(length, '\u00ff'), since: number * 7 }));
          model = [...model.slice(gone), ...entries];
          queue.batch(gone, entries, lost);
          expect(queue.state.oldest).toBe(model[0]?.since);
          expect(queue.all()).toEqual(model);
          most = Math.max(most, queue.stretches);
        }
        queue.batch(Number.POSITIVE_INFINITY, [], 0);
        expect(queue.all()).toEqual([]);
        expect(queue.stretches).toBe(0);
      }),
      { seed, numRuns },
    );
    expect(most).toBeGreaterThan(3);
  });

  test('stands in its state alone while it is short', () => {
    const queue = new Queue();
    for (let i = 0; i < 40; i++) queue.batch(0, [{ key: `k${i}`, since: i }], 0);
    expect(queue.stretches).toBe(0);
    expect(queue.all()).toHaveLength(40);
  });

  test('begins at time 0', () => {
    const queue = new Queue();
    queue.batch(0, [{ key: 'a', since: 0 }], 0);
    expect(queue.state.oldest).toBe(0);
    queue.batch(1, [], 0);
    expect(queue.state.oldest).toBeUndefined();
  });
});
