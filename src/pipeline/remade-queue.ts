import type { KeyValueStore } from '../core/store.js';
import { emptyQueue, encodeState, type QueueEntry, QueueReader, type QueueState, queueAfter } from './waiting-queue.js';
import { decodePlace, keyOfPlace, PLACES, type Place, QUEUE_ROW } from './waiting-rows.js';

/** Writes the queue of all outputs that a store has, in the place of the one that is found there; resolves with its state. */
export async function remadeQueue(store: KeyValueStore<Buffer, Buffer>, found: QueueState, session: number): Promise<QueueState> {
  const waiting: (Place & QueueEntry)[] = [];
  for await (const [name, row] of store.prefixScan(PLACES)) {
    const { since, number, bytes } = decodePlace(row);
    waiting.push({ key: keyOfPlace(name), since, number, bytes });
  }
  const writes: [Buffer, Buffer | null][] = [];
  for await (const [name] of store.prefixScan(QUEUE_ROW)) if (!name.equals(QUEUE_ROW)) writes.push([name, null]);

  waiting.sort((a, b) => a.number - b.number);
  // Beyond all numbers given, and with room for those of the outputs, which follow each other without gaps.
  const next = Math.max(found.next, (waiting.at(-1)?.number ?? 0) + 1, waiting.length + 1);
  const newest = waiting.reduce((most, { since }) => Math.max(most, since), found.newest);
  const empty = emptyQueue(session, next - waiting.length, newest);
  const queue = queueAfter(empty, { reader: new QueueReader(store, empty), added: waiting, next }, (row, entries) => writes.push([row, entries]));
  const bytes = waiting.reduce((sum, one) => sum + one.bytes, 0);
  const state = { session, newest, bytes, ...queue };
  store.setBatch([...writes, [QUEUE_ROW, encodeState(state)]]);
  return state;
}
