import { setTimeout as sleep } from 'node:timers/promises';
import { keyIndexAt, keyOf } from '../input.mjs';
import { withCpuTurns } from './cpu-turns.mjs';

/** What the flushes of a daemon write that counts 40,000 records/s of random keys: so many changed keys of one task, task after task. */
const WRITES = 1_000;
const EVERY_MS = 25;
const ALONE_MS = 5_000;
/** Of each task, after the first. */
const FURTHER = 3;

/**
 * The longest turns of the event loop while all stores are written to: with that alone, while the first snapshots are taken one after the
 * other, which send all files, and while further ones are.
 * @param {object} on
 * @param {any[]} on.storages one a task
 * @param {string} on.store
 * @param {number} on.keys
 * @param {(partition: number) => Promise<{ bytes: number, uploadedBytes: number }>} on.take
 * @param {(work: () => Promise<any>) => Promise<{ result: any, seconds: number, delay: number }>} on.measured
 */
export async function underLoad({ storages, store, keys, take, measured }) {
  const stopping = new AbortController();
  const writing = write(storages, store, keys, stopping.signal);
  const all = async () => {
    const sum = { bytes: 0, uploadedBytes: 0 };
    for (const partition of storages.keys()) {
      const { bytes, uploadedBytes } = await take(partition);
      sum.bytes += bytes;
      sum.uploadedBytes += uploadedBytes;
    }
    return sum;
  };
  const costOf = async (work) => {
    const { result, ...cost } = await measured(() => withCpuTurns(work));
    return { ...result.result, ...cost, cpuTurn: result.longestMs };
  };
  const alone = await costOf(() => sleep(ALONE_MS));
  const first = await costOf(all);
  const further = [];
  for (let i = 0; i < FURTHER; i++) further.push(await costOf(all));
  stopping.abort();
  const written = await writing;
  return { alone, first, further, written };
}

/** @returns {Promise<number>} how many were written */
async function write(storages, store, keys, signal) {
  const value = Buffer.alloc(8);
  let number = 0;
  for (let next = performance.now(); !signal.aborted; next += EVERY_MS) {
    const storage = storages[(number / WRITES) % storages.length];
    const writes = Array.from({ length: WRITES }, () => ({ name: keyOf(keyIndexAt(number++, keys)).toString('latin1'), value }));
    await storage.apply([{ store, writes }], await storage.positions());
    // What was not kept up with is not caught up with.
    next = Math.max(next, performance.now() - EVERY_MS);
    await sleep(next + EVERY_MS - performance.now());
  }
  return number;
}
