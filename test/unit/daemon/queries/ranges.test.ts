import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { WindowStore } from '../../../../src/core/store-types.js';
import { CacheBudget } from '../../../../src/runtime/cache-budget.js';
import { TaskState } from '../../../../src/runtime/task-state.js';
import { serdeFor } from '../../../../src/serdes/formats.js';
import { levelEngine } from '../../../../src/stores/leveldb.js';
import { counting, each, Flow } from '../../runtime/harness.js';
import { WorkerBench } from '../../runtime/worker-bench.js';
import { declare, type Served, serve } from './served.js';

vi.setConfig({ testTimeout: 30_000 });

const PARTITIONS = 4;
const KEYS = Array.from({ length: 300 }, (_, n) => `k${String(n).padStart(3, '0')}`);
/** Those up to k099 are all in one partition. */
const home = (key: string): number => (key < 'k1' ? 2 : Number(key.slice(1)) % PARTITIONS);
const MINUTE = 60_000;

let bench: WorkerBench;
let folder: string;
let served: Served;

beforeEach(async () => {
  bench = new WorkerBench();
  bench.broker.createTopic('many', PARTITIONS);
  folder = await mkdtemp(join(tmpdir(), 'kstreamd-ranges-'));
});

afterEach(async () => {
  await served.end();
  await bench.close();
  await rm(folder, { recursive: true });
});

/** A worker with its stores in LevelDB, which are flushed with every commit. */
async function start(flow: Flow): Promise<void> {
  const cache = new CacheBudget(10_000);
  const engines = new Map([['leveldb', levelEngine()]]);
  served = await serve(bench, flow, {
    worker: {
      stateDir: folder,
      commit: { intervalMs: 0, flushMs: 0, maxBufferedBytes: 64e6 },
      openState: (given) => TaskState.open({ ...given, engines, serdeFor, cache }),
    },
  });
}

/** Counts by key, and what came in, by partition. */
class Counted {
  readonly records: string[][] = Array.from({ length: PARTITIONS }, () => []);

  static flow(): Flow {
    const flow = declare(new Flow().source('in', { topics: ['many'] }), { name: 'counts', type: 'key-value', engine: 'leveldb' });
    flow.builder.addProcessor({ name: 'count', create: counting('counts'), stores: { counts: 'counts' } }, ['in']);
    return flow;
  }

  append(key: string): void {
    (this.records[home(key)] as string[]).push(key);
    bench.append('many', [1], home(key), key);
  }

  /** What an answer that names these positions has to be. */
  expected(positions: readonly { partition: number; offset: number }[], { from, prefix = '', limit, reverse }: Asked): object {
    const counts = new Map<string, number>();
    for (const { partition, offset } of positions)
      for (const key of (this.records[partition] as string[]).slice(0, offset)) counts.set(key, (counts.get(key) ?? 0) + 1);
    const keys = [...counts.keys()].filter((key) => (from === undefined || key >= from) && key.startsWith(prefix)).sort();
    if (reverse) keys.reverse();
    const entries = keys.slice(0, limit).map((key) => ({ key, value: counts.get(key) }));
    return { entries, more: keys.length > limit, ...(keys.length > limit && { next: keys[limit] }) };
  }

  async committed(): Promise<void> {
    await bench.until(() => this.records.every(({ length }, p) => (bench.committed('many', p) ?? 0) >= length), 10);
  }
}

interface Asked {
  readonly from?: string;
  readonly prefix?: string;
  readonly limit: number;
  readonly reverse?: boolean;
}

async function ask({ from, prefix, limit, reverse }: Asked): Promise<any> {
  const options = [`limit=${limit}`, from && `from=${from}`, prefix && `prefix=${prefix}`, reverse && 'reverse'];
  return (await served.get(`/stores/counts?${options.filter(Boolean).join('&')}`)).body;
}

const SHAPES: readonly Asked[] = [
  { limit: 1 },
  { limit: 10 },
  { from: 'k050', limit: 10 },
  { from: 'k095', limit: 10 },
  { from: 'k150', limit: 10 },
  { from: 'k295', limit: 10 },
  { limit: 1000 },
  { reverse: true, limit: 10 },
  { reverse: true, limit: 250 },
  { prefix: 'k09', limit: 5 },
  { prefix: 'k1', limit: 30 },
  { prefix: 'none', limit: 10 },
];

test('ranges of several partitions hold what each had processed at the position that is named, while more comes in', async () => {
  const counted = new Counted();
  await start(Counted.flow());
  for (const key of KEYS) counted.append(key);
  await counted.committed();
  for (let round = 0; round < 8; round++) {
    for (let i = 0; i < 150; i++) counted.append(KEYS[(i * 7 + round * 31) % KEYS.length] as string);
    const answers = Promise.all(SHAPES.map(async (asked) => ({ asked, body: await ask(asked) })));
    await bench.until(() => true, 10);
    for (const { asked, body } of await answers) {
      const { entries, more, next } = body;
      expect({ entries, more, ...(next !== undefined && { next }) }, JSON.stringify(asked)).toEqual(counted.expected(body.positions, asked));
    }
    await counted.committed();
  }
});

test('pages of one entry and more, put together, are every entry once', async () => {
  const counted = new Counted();
  await start(Counted.flow());
  for (const key of KEYS) counted.append(key);
  await counted.committed();
  for (const limit of [1, 7, 60]) {
    const seen: string[] = [];
    for (let from: string | undefined = 'k080'; from !== undefined; ) {
      const body = await ask({ from, limit });
      seen.push(...body.entries.map(({ key }: { key: string }) => key));
      from = body.next;
    }
    expect(seen).toEqual(KEYS.filter((key) => key >= 'k080'));
  }
});

test('windows of several partitions come in their order, those of some times left out', async () => {
  const flow = declare(new Flow().source('in', { topics: ['many'] }), {
    name: 'clicks',
    type: 'window',
    retentionMs: 1000 * MINUTE,
    windowSizeMs: MINUTE,
    value: 'int64',
    engine: 'leveldb',
  });
  const write = each(({ key, value }, context) => {
    for (let minute = 0; minute < 20; minute++) context.store<WindowStore>('clicks').put(key, value + minute, minute * MINUTE);
  });
  flow.builder.addProcessor({ name: 'write', create: write, stores: { clicks: 'clicks' } }, ['in']);
  await start(flow);
  const keys = KEYS.slice(80, 120);
  for (const key of keys) bench.append('many', [1], home(key), key);
  await bench.until(() => [0, 1, 2, 3].every((p) => bench.committed('many', p) === keys.filter((key) => home(key) === p).length), 10);
  const span = `start=${7 * MINUTE}&end=${8 * MINUTE}`;
  const expected = keys.flatMap((key) => [7, 8].map((minute) => ({ key, start: minute * MINUTE, end: (minute + 1) * MINUTE, value: 1 + minute })));
  const { body: whole } = await served.get(`/stores/clicks?${span}&limit=1000`);
  expect(whole).toMatchObject({ entries: expected, more: false });
  expect((await served.get(`/stores/clicks?${span}&limit=25`)).body).toMatchObject({ entries: expected.slice(0, 25), more: true });
  expect((await served.get(`/stores/clicks?${span}&limit=25&reverse`)).body).toMatchObject({ entries: expected.slice(-25).reverse(), more: true });
});
