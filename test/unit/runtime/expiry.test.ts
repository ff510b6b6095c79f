import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/core/clock.js';
import { bytesOfLatin1 } from '../../../src/core/latin1.js';
import type { StoreDefinition } from '../../../src/core/store.js';
import type { WindowStore } from '../../../src/core/store-types.js';
import { timeBytes } from '../../../src/runtime/stores/time-bytes.js';
import { storeOf } from './changelog-bench.js';
import { whole } from './harness.js';
import { LevelBench } from './level-worker.js';

const MINUTE = 60_000;
const RETENTION = 10 * MINUTE;
/** Two segments of five minutes each are kept beside what can be seen. */
const KEPT = 2 * RETENTION;
const SPAN = 120 * MINUTE;
const RECORDS = 200_000;
const KEYS = 20_000;
const PORTION = 5000;
const CACHE_BYTES = 1e6;

const windows: StoreDefinition = { ...storeOf('windows'), type: 'window', retentionMs: RETENTION, windowSizeMs: MINUTE };

const windowing = whole((records, context) => {
  const store = context.store('windows') as unknown as WindowStore<string, unknown>;
  store.setBatch(records.map(({ key, value, timestamp }) => [key, value, timestamp - (timestamp % MINUTE)]));
});

let bench: LevelBench;
beforeEach(() => {
  // Small tables, so that what has expired leaves them within the test.
  bench = new LevelBench({ writeBufferBytes: 65_536 });
});
afterEach(() => bench.close());

interface Sample {
  readonly time: number;
  readonly disk: number;
  readonly rows: number;
  readonly buffered: number;
}

/** Rows are removed beside the work, on a busy machine long after it: waits until nothing is left that is older than what is kept at a time. */
async function removedAt(time: number): Promise<void> {
  const older = { lt: bytesOfLatin1(timeBytes(Math.max(time - KEPT, 0))) };
  while (((await bench.storage?.store('windows').count?.(older)) ?? 0) > 0) await delay(2);
}

async function sampleAt(time: number): Promise<Sample> {
  const files = readdirSync(bench.directory, { recursive: true }).map((name) => join(bench.directory, String(name)));
  // LevelDB removes files meanwhile.
  const disk = files.reduce((sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0), 0);
  const rows = (await bench.storage?.store('windows').count?.({})) ?? 0;
  return { time, disk, rows, buffered: bench.cache.bytes };
}

describe('S8: what has expired is gone', { timeout: 120_000 }, () => {
  test('200,000 windowed records over two hours, ten minutes of retention: disk and memory level off', async () => {
    const running = bench.run(windowing, [windows], {
      batch: { maxRecords: PORTION, maxWaitMs: 10, maxBytes: 64e6 },
      commit: { intervalMs: 0, flushMs: 0, maxBufferedBytes: 64e6 },
      clock: systemClock,
    });
    const samples: Sample[] = [];
    let written = 0;
    for (let i = 0; i < RECORDS; ) {
      for (const end = i + PORTION; i < end; i++) {
        const value = Buffer.from(JSON.stringify(`${i * 7919} ${i * 104_729} ${i * 1_299_709}`));
        written += value.length;
        bench.broker.append('in', { partition: 0, key: Buffer.from(`key-${(i * 48_271) % KEYS}`), value, timestamp: Math.floor((i * SPAN) / RECORDS) });
      }
      await bench.until(() => bench.committed() === i);
      // What is behind the reader costs each read.
      for (const topic of ['in', 'app-windows-changelog']) {
        const log = bench.broker.log({ topic, partition: 0 });
        log.deleteBefore(log.high);
      }
      const time = (i * SPAN) / RECORDS;
      await removedAt(time);
      samples.push(await sampleAt(time));
    }
    await running.stop();
    const within = (what: keyof Sample, from: number, to: number): number[] =>
      samples.filter(({ time }) => time > from * MINUTE && time <= to * MINUTE).map((sample) => sample[what]);
    const highest = (...of: Parameters<typeof within>): number => Math.max(...within(...of));
    // LevelDB drops files when it comes to it: single samples tell of that too.
    const median = (...of: Parameters<typeof within>): number => within(...of).sort((a, b) => a - b)[within(...of).length >> 1] as number;
    for (const what of ['disk', 'rows', 'buffered'] as const) expect(median(what, 60, 120), what).toBeLessThan(1.5 * median(what, 30, 60));
    const perMinute = RECORDS / 120;
    expect(highest('rows', 30, 120)).toBeLessThan(2 * 20 * perMinute);
    expect(highest('rows', 30, 120)).toBeGreaterThan(10 * perMinute);
    expect(highest('disk', 30, 120)).toBeLessThan(written);
    expect(highest('buffered', 0, 120)).toBeLessThanOrEqual(CACHE_BYTES);
  });
});
