/**
 * `npm run bench:stores -- expiry [--records N]`: a window store with ten minutes of retention over two hours of event time, through a
 * real worker, task and LevelDB with its changelog; the broker is in memory and keeps only what is not read yet. Disk and memory
 * have to level off, and the event loop must not be held up.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHistogram } from 'node:perf_hooks';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../dist/core/clock.js';
import { silentLogger } from '../dist/core/logger.js';
import { noMetrics } from '../dist/core/metrics.js';
import { OutputBatch } from '../dist/core/output-batch.js';
import { CacheBudget } from '../dist/runtime/cache-budget.js';
import { TaskState } from '../dist/runtime/task-state.js';
import { Worker } from '../dist/runtime/worker.js';
import { serdeFor } from '../dist/serdes/formats.js';
import { levelEngine } from '../dist/stores/leveldb.js';
import { openVerified } from '../dist/stores/open-verified.js';
import { MemoryBroker } from '../dist/testing/memory-broker.js';
import { TopologyBuilder } from '../dist/topology/builder.js';

const MINUTE = 60_000;
const SPAN = 120 * MINUTE;
const RETENTION = 10 * MINUTE;
const START = 1_700_000_040_000;
const KEYS = 100_000;
/** 60 bytes each, that LevelDB cannot make much smaller. */
const VALUES = Array.from({ length: 1024 }, () => Buffer.from(randomBytes(45).toString('base64')));
const MB = 1e6;
/** Records that wait in the broker at most, and are appended at once: what it holds costs the collector of garbage more than Kafka's would. */
const BACKLOG = 2000;
const PORTION = 250;
const SAMPLE_EVERY = 5 * MINUTE;
const MOST_DELAY_MS = 50;
const EVERY_MS = 1;
/** Above this share of the time without a core the machine is too busy to judge delays by the clock. */
const BUSY = 0.05;
/** The compiler and the database need a moment. */
const WARM_UP = 2 * MINUTE;
/** What is highest in the second hour may be so much more than what was highest in the half hour before it. */
const LEVEL = 1.25;

/** Puts each record into the window of its time. */
function windowing() {
  let store;
  return {
    init: (context) => {
      store = context.store('windows');
    },
    processBatch: async ({ records }) => {
      const windows = records.map(({ key, timestamp }) => [key, timestamp - (timestamp % MINUTE)]);
      await store.getBatch(windows);
      store.setBatch(windows.map(([key, start], i) => [key, records[i].value, start]));
    },
  };
}

function topology() {
  const builder = new TopologyBuilder('bench');
  builder.addSource({ name: 'in', topics: ['in'], key: serdeFor('string'), value: serdeFor('string') });
  builder.addStore({
    name: 'windows',
    type: 'window',
    retentionMs: RETENTION,
    windowSizeMs: MINUTE,
    engine: 'leveldb',
    key: 'string',
    value: 'string',
    changelog: { topic: 'bench-windows-changelog', config: { 'cleanup.policy': 'compact,delete', 'retention.ms': String(RETENTION + 24 * 60 * MINUTE) } },
  });
  builder.addProcessor({ name: 'window', create: windowing, stores: { windows: 'windows' } }, ['in']);
  return builder.build();
}

function start(broker, directory) {
  const engines = new Map([['leveldb', levelEngine()]]);
  const cache = new CacheBudget(64e6);
  const holding = { logger: silentLogger, onFindings: () => {} };
  const worker = new Worker({
    topology: topology(),
    transport: {
      member: (options) => broker.member(options),
      reader: (options) => broker.reader(options),
      sink: async () => nowhere,
      admin: () => broker.admin(),
      onReachable: (listener) => broker.onReachable(listener),
    },
    openState: (asked) => TaskState.open({ ...asked, engines, serdeFor, cache, holdDirectory: (task) => openVerified(task, holding) }),
    stateDir: directory,
    instanceId: undefined,
    batch: { maxRecords: 10_000, maxWaitMs: 50, maxBytes: 64e6 },
    transactions: undefined,
    commit: { intervalMs: 0, flushMs: 1000, maxBufferedBytes: 64e6 },
    onError: { retries: 0, backoff: { from: 0, to: 0 }, final: 'fail' },
    deadLetter: undefined,
    slowBatchMs: 60_000,
    clock: systemClock,
    logger: silentLogger,
    metrics: noMetrics,
  });
  const failed = worker.run().then(
    () => undefined,
    (error) => error,
  );
  return { worker, failed };
}

/**
 * How long the turns of the event loop are: by the clock, and by the processor time of its thread, which other work on the machine
 * does not lengthen. Milliseconds.
 */
class Turns {
  wall = createHistogram();
  own = createHistogram();
  waited = 0;
  begun = performance.now();
  timer = undefined;

  start() {
    const before = { now: performance.now(), ...onCore() };
    this.begun = before.now;
    const waitedBefore = before.waiting;
    this.timer = setInterval(() => {
      const now = performance.now();
      const { running, waiting } = onCore();
      this.wall.record(Math.max(1, Math.round((now - before.now - EVERY_MS) * 1000)));
      this.own.record(Math.max(1, Math.round((running - before.running) * 1000)));
      this.waited = waiting - waitedBefore;
      Object.assign(before, { now, running, waiting });
    }, EVERY_MS);
  }

  stop() {
    clearInterval(this.timer);
    this.waited /= performance.now() - this.begun;
  }

  static ms(histogram, percentile) {
    return (percentile === undefined ? histogram.max : histogram.percentile(percentile)) / 1000;
  }
}

/** How long the thread of the event loop has run, and how long it was ready and had to wait for a core, in milliseconds. */
function onCore() {
  const [running, waiting] = readFileSync('/proc/self/schedstat', 'utf8').split(' ').map(Number);
  return { running: running / 1e6, waiting: waiting / 1e6 };
}

async function bytesIn(directory) {
  let bytes = 0;
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = await stat(join(entry.parentPath ?? entry.path, entry.name)).catch(() => undefined);
    bytes += file?.size ?? 0;
  }
  return bytes;
}

/** Takes the changelog's records and forgets them. */
const nowhere = {
  send: () => new OutputBatch(),
  flush: async () => {},
  close: async () => {},
  maxRecordBytes: 1_000_000,
};

export async function expiry(records) {
  const directory = await mkdtemp(join(tmpdir(), 'kstreamd-expiry-'));
  const broker = new MemoryBroker({ readWaitMs: 5 });
  broker.createTopic('in');
  const { worker, failed } = start(broker, directory);
  const turns = new Turns();
  const samples = [];
  const committed = () => broker.group('bench').committed({ topic: 'in', partition: 0 })?.offset ?? 0;
  const begun = performance.now();
  console.log(`\nexpiry: ${records} records of two hours, ${KEYS} keys, windows of a minute, ten minutes of retention`);
  console.log('  event time     disk      RSS     heap   delay p99.9, processor time p99.9 and longest');
  let warm = false;
  for (let i = 0, sampleAt = 0; i < records; ) {
    for (const end = Math.min(i + PORTION, records); i < end; i++) {
      const timestamp = START + Math.floor((i * SPAN) / records);
      broker.append('in', {
        partition: 0,
        key: Buffer.from(`customer-${(i * 48_271) % KEYS}-${(i * 16_807) % 7}`),
        value: VALUES[(i * 31) % VALUES.length],
        timestamp,
      });
    }
    await nextTurn();
    while (i - committed() > BACKLOG) await (broker.group('bench').committed({ topic: 'in', partition: 0 }) === undefined ? sleep(5) : sleep(1));
    broker.log({ topic: 'in', partition: 0 }).deleteBefore(committed());
    const time = (i * SPAN) / records;
    if (!warm && time >= WARM_UP) {
      warm = true;
      turns.start();
    }
    if (time < sampleAt) continue;
    sampleAt += SAMPLE_EVERY;
    const { rss, heapUsed } = process.memoryUsage();
    samples.push({ time, disk: await bytesIn(directory), rss });
    const size = (bytes) => `${(bytes / MB).toFixed(0)} MB`.padStart(9);
    const ms = (time) => `${time.toFixed(1)} ms`.padStart(9);
    console.log(
      `  ${`${Math.round(time / MINUTE)} min`.padStart(10)}${size(samples.at(-1).disk)}${size(rss)}${size(heapUsed)}${ms(Turns.ms(turns.wall, 99.9))}${ms(Turns.ms(turns.own, 99.9))}${ms(Turns.ms(turns.own))}`,
    );
  }
  while (committed() < records) await sleep(5);
  turns.stop();
  const seconds = (performance.now() - begun) / 1000;
  worker.stop();
  const error = await failed;
  await rm(directory, { recursive: true, force: true });
  if (error !== undefined) throw error;
  return verdict(samples, turns, records / seconds);
}

function verdict(samples, turns, rate) {
  const highest = (what, from, to) => Math.max(...samples.filter(({ time }) => time >= from * MINUTE && time <= to * MINUTE).map((sample) => sample[what]));
  const grown = (what) => highest(what, 60, 120) / highest(what, 30, 60);
  const [wall, own] = [Turns.ms(turns.wall, 99.9), Turns.ms(turns.own, 99.9)];
  const busy = turns.waited > BUSY;
  const checks = [
    [`disk: highest of the second hour ${grown('disk').toFixed(2)} × that of the half hour before`, grown('disk') <= LEVEL],
    [`RSS: the same ${grown('rss').toFixed(2)} ×`, grown('rss') <= LEVEL],
    [
      `event-loop delay p99.9 ${wall.toFixed(1)} ms, longest ${Turns.ms(turns.wall).toFixed(1)} ms${busy ? `: not judged, ${(turns.waited * 100).toFixed(0)} % of the time no core was free` : ''}`,
      busy || wall <= MOST_DELAY_MS,
    ],
    [`processor time of a turn p99.9 ${own.toFixed(1)} ms, longest ${Turns.ms(turns.own).toFixed(1)} ms`, own <= MOST_DELAY_MS],
  ];
  for (const [what, good] of checks) console.log(`  ${good ? 'ok  ' : 'FAIL'} ${what}`);
  console.log(`  ${Math.round(rate)} records/s`);
  return checks.every(([, good]) => good);
}
