import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { StoreCorruptedError } from '../../../src/core/errors.js';
import { silentLogger } from '../../../src/core/logger.js';
import type { StoreDefinition, StoreReader, TaskStoreEngine } from '../../../src/core/store.js';
import { CacheBudget } from '../../../src/runtime/cache-budget.js';
import { TaskState } from '../../../src/runtime/task-state.js';
import type { WorkerOptions } from '../../../src/runtime/worker-options.js';
import { serdeFor } from '../../../src/serdes/formats.js';
import { levelEngine } from '../../../src/stores/leveldb.js';
import { described, openVerified, type VerifyOnOpen } from '../../../src/stores/open-verified.js';
import { Scrubber } from '../../../src/stores/scrubber.js';
import { PrometheusMetrics } from '../../../src/telemetry/metrics.js';
import { CHANGELOG, EXACTLY_ONCE, fold, stateful, storeOf } from './changelog-bench.js';
import { counting } from './harness.js';
import { type RunningWorker, WorkerBench } from './worker-bench.js';

const KEYS = 1000;
const logged: StoreDefinition = { ...storeOf('counts'), engine: 'leveldb' };

let bench: WorkerBench;
let stateDir: string;
let metrics: PrometheusMetrics;

beforeEach(() => {
  bench = new WorkerBench();
  bench.broker.createTopic('in', 2);
  bench.broker.createTopic('out', 2);
  stateDir = mkdtempSync(join(tmpdir(), 'kstreamd-damage-'));
  metrics = new PrometheusMetrics({ version: '1' });
});

afterEach(async () => {
  await bench.close();
  metrics.close();
  rmSync(stateDir, { recursive: true, force: true });
});

type Trouble = (task: string, reader: StoreReader) => StoreReader;

interface Setup {
  readonly store?: StoreDefinition;
  readonly worker?: Partial<WorkerOptions>;
  readonly hold?: Partial<VerifyOnOpen>;
  readonly trouble?: Trouble;
}

/** A worker that counts with LevelDB and checks its files all the time. */
function start({ store = logged, worker = {}, hold = {}, trouble = (_, reader) => reader }: Setup = {}): RunningWorker {
  const tell = (directory: string, problem: string): void => running.worker.damaged(directory, problem);
  const scrubber = new Scrubber({
    logger: silentLogger,
    bytesPerSecond: 1e9,
    pauseMs: 20,
    onFindings: (directory, findings) => tell(directory, described(findings)),
  });
  onTestFinished(() => scrubber.close());
  const holding: VerifyOnOpen = {
    logger: silentLogger,
    scrubber,
    clock: bench.clock,
    onFindings: (directory, findings) => tell(directory, described(findings)),
    ...hold,
  };
  const cache = new CacheBudget(0);
  const engines = new Map([['leveldb', troubled(levelEngine({ writeBufferBytes: 65_536 }), trouble)]]);
  const running: RunningWorker = bench.start(stateful(counting('counts'), [store]), {
    stateDir,
    metrics,
    commit: { intervalMs: 0, flushMs: 10, maxBufferedBytes: 64e6 },
    openState: (asked) => TaskState.open({ ...asked, engines, serdeFor, cache, holdDirectory: (task) => openVerified(task, holding) }),
    ...worker,
  });
  return running;
}

function troubled(engine: TaskStoreEngine, trouble: Trouble): TaskStoreEngine {
  return {
    ...engine,
    openTask: async (options) => {
      const storage = await engine.openTask(options);
      return {
        store: (name) => trouble(options.directory, storage.store(name)),
        apply: (changes, positions) => storage.apply(changes, positions),
        positions: () => storage.positions(),
        clear: () => storage.clear(),
        close: () => storage.close(),
      };
    },
  };
}

/** Long enough for LevelDB to write tables. */
function nameOf(key: number): string {
  return `key-${key}-`.padEnd(200, String(key * 7919));
}

/** One more record of each key, half of them in each partition. */
function appendRound(): void {
  for (let key = 0; key < KEYS; key++) bench.append('in', ['x'], key % 2, nameOf(key));
}

async function untilDone(rounds: number): Promise<void> {
  await bench.until(() => [0, 1].every((partition) => bench.committed('in', partition) === (rounds * KEYS) / 2), 50);
}

/** Counts until both tasks have tables on disk, and gives the number of rounds: LevelDB makes none before its log is full. */
async function fill(): Promise<number> {
  for (let rounds = 1; ; rounds++) {
    appendRound();
    await untilDone(rounds);
    // All of it is flushed.
    const until = bench.clock.now() + 1000;
    await bench.until(() => bench.clock.now() >= until, 100);
    if (tablesOf(0).length > 0 && tablesOf(1).length > 0) return rounds;
  }
}

/** Every key has been counted up to `rounds`, each count once; so the changelog says too. */
function expectRounds(rounds: number): void {
  const outputs = bench.broker.records('out', 'read_committed').map(({ key, value }) => `${key}=${value}`);
  expect(outputs).toHaveLength(rounds * KEYS);
  expect(new Set(outputs).size).toBe(rounds * KEYS);
  const counts = Object.values(fold(bench.broker.records(CHANGELOG, 'read_committed')));
  expect(counts).toHaveLength(KEYS);
  expect(new Set(counts)).toEqual(new Set([rounds]));
}

const taskDirectory = (partition: number): string => join(stateDir, 'counts', String(partition));
const setAside = (): string[] => readdirSync(join(stateDir, 'counts')).filter((name) => name.includes('.corrupt-'));

function tablesOf(partition: number): string[] {
  const db = join(taskDirectory(partition), 'db');
  return readdirSync(db).flatMap((name) => (name.endsWith('.ldb') ? [join(db, name)] : []));
}

function flip(file: string): void {
  const bytes = readFileSync(file);
  bytes[100]! ^= 4;
  writeFileSync(file, bytes);
}

async function metric(name: string): Promise<string[]> {
  return (await metrics.expose()).split('\n').filter((line) => line.startsWith(`kstreamd_${name}`));
}

describe('E4: damage that is found while the task runs', () => {
  test.each([
    ['at-least-once', {}],
    ['exactly-once', EXACTLY_ONCE],
  ])('%s: a flipped bit: that task is set aside and restored, the others go on, the group sees nothing', async (_, worker) => {
    const { ended } = start({ worker });
    const rounds = await fill();
    const rebalances = await metric('rebalances_total');
    flip(tablesOf(0)[0]!);
    await bench.until(() => setAside().length > 0, 50);
    expect(setAside()).toEqual([expect.stringMatching(/^0\.corrupt-/)]);
    appendRound();
    await untilDone(rounds + 1);
    expectRounds(rounds + 1);
    expect(await metric('rebalances_total')).toEqual(rebalances);
    expect(await metric('restore_records_total')).toEqual([`kstreamd_restore_records_total{store="counts"} ${(rounds * KEYS) / 2}`]);
    expect(bench.warnings.map(({ message }) => message)).toEqual(['the state of a running task is damaged: the task is closed and restored']);
    await bench.close();
    expect(await ended).toBeUndefined();
    expect(setAside()).toHaveLength(1);
  });

  test('by the check that goes on in the background after an unclean stop', async () => {
    const first = start();
    const rounds = await fill();
    await first.stop();
    writeFileSync(join(taskDirectory(1), 'open'), '');
    flip(tablesOf(1)[0]!);
    start({ hold: { backgroundBytes: 0, scrubber: undefined } });
    await bench.until(() => setAside().length > 0, 50);
    appendRound();
    await untilDone(rounds + 1);
    expect(setAside()).toEqual([expect.stringMatching(/^1\.corrupt-/)]);
    expectRounds(rounds + 1);
  });

  test.each([
    ['at-least-once', {}],
    ['exactly-once', EXACTLY_ONCE],
  ])('%s: by a read: what the batch did is undone, and done again on the restored state', async (_, worker) => {
    let left = 1;
    const trouble: Trouble = (directory, reader) => {
      const check = (): void => {
        if (directory !== taskDirectory(0) || armed > bench.broker.records('in').length || left-- <= 0) return;
        throw new StoreCorruptedError(directory, 'corrupted block');
      };
      return {
        get: (key) => {
          check();
          return reader.get(key);
        },
        getMany: async (keys) => {
          check();
          return (await reader.getMany?.(keys)) ?? [];
        },
        scan: (range) => reader.scan(range),
      };
    };
    const armed = KEYS + 1;
    start({ trouble, worker });
    appendRound();
    await untilDone(1);
    appendRound();
    await untilDone(2);
    expect(left).toBeLessThanOrEqual(0);
    expect(setAside()).toEqual([expect.stringMatching(/^0\.corrupt-/)]);
    expectRounds(2);
  });

  test('without a changelog ends the run with what can be done, and leaves the state where it is', async () => {
    const { changelog: _, ...unlogged } = logged;
    const { ended } = start({ store: unlogged });
    await fill();
    flip(tablesOf(0)[0]!);
    const error = await ended;
    expect(error).toBeInstanceOf(StoreCorruptedError);
    expect(error).toMatchObject({
      code: 'store/corrupt',
      directory: taskDirectory(0),
      message: expect.stringMatching(/^the state in \S+ is damaged, and counts has no changelog to restore it from: .*\.ldb at byte 0/),
      fix: 'put back a copy of the directory, or remove it to start from nothing',
    });
    expect(setAside()).toEqual([]);
  });

  test('again and again ends the run: the disk would be filled', async () => {
    const { worker, ended } = start({ hold: { scrubber: undefined } });
    appendRound();
    await untilDone(1);
    for (let times = 1; times <= 3; times++) {
      worker.damaged(taskDirectory(0), 'a bad disk');
      await bench.until(() => setAside().length === times, 1);
      while ((await worker.status()).tasks.length < 2 || worker.unready.length > 0) await new Promise((resolve) => setTimeout(resolve, 2));
    }
    worker.damaged(taskDirectory(0), 'a bad disk');
    expect(await ended).toMatchObject({ code: 'store/corrupt', fix: 'check the disk and the memory of this machine' });
    expect(setAside()).toHaveLength(3);
  });

  test('in a directory that no task here has is nothing to it', async () => {
    const { worker } = start();
    appendRound();
    await untilDone(1);
    worker.damaged(join(stateDir, 'counts', '7'), 'another one');
    appendRound();
    await untilDone(2);
    expectRounds(2);
    expect(bench.warnings).toEqual([]);
  });
});

describe('the status of a worker', () => {
  test('tells its tasks, with positions, stores and what was done last', async () => {
    const { worker } = start();
    expect(await worker.status()).toEqual({ state: 'joining', tasks: [], standby: [] });
    const rounds = await fill();
    const end = (rounds * KEYS) / 2;
    const { state, tasks, standby, lastCommit, lastFlush } = await worker.status();
    expect([state, standby]).toEqual(['running', []]);
    expect(tasks).toEqual(
      [0, 1].map((partition) => ({
        task: `0_${partition}`,
        state: 'running',
        partitions: [{ topic: 'in', partition, position: end, committed: end, end, lag: 0 }],
        directory: taskDirectory(partition),
        bytesOnDisk: expect.any(Number),
        stores: [{ name: 'counts', engine: 'leveldb', changelog: CHANGELOG, bufferedBytes: 0 }],
      })),
    );
    for (const { bytesOnDisk } of tasks) expect(bytesOnDisk).toBeGreaterThan(10_000);
    for (const last of [lastCommit, lastFlush]) {
      expect(last?.time).toBeLessThanOrEqual(bench.clock.now());
      expect(last?.durationMs).toBeGreaterThan(0);
    }
    worker.stop();
    expect((await worker.status()).state).toBe('stopping');
  });
});
