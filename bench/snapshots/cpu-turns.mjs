import { readFileSync } from 'node:fs';

/** CPU time of the thread that runs JavaScript, in milliseconds, exact to about 4. */
const cpuMs = () => Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'latin1').split(' ')[0]) / 1e6;

/**
 * The most CPU time, in milliseconds, that the event loop took between two looks a millisecond apart: what held it up itself. Time in which
 * another thread or process had the core, as a compaction does on the one core of a bench, is not in it.
 * @template T @param {() => Promise<T>} work @returns {Promise<{ result: T, longestMs: number }>}
 */
export async function withCpuTurns(work) {
  let longestMs = 0;
  let last = cpuMs();
  const look = setInterval(() => {
    const now = cpuMs();
    longestMs = Math.max(longestMs, now - last);
    last = now;
  }, 1);
  try {
    const result = await work();
    return { result, longestMs };
  } finally {
    clearInterval(look);
  }
}
