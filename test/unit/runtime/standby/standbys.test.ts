import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { StoreError } from '../../../../src/core/errors.js';
import type { OpenTaskState } from '../../../../src/runtime/assignment.js';
import { CacheBudget } from '../../../../src/runtime/cache-budget.js';
import { TaskState } from '../../../../src/runtime/task-state.js';
import type { Worker } from '../../../../src/runtime/worker.js';
import { serdeFor } from '../../../../src/serdes/formats.js';
import { directoryIdentity } from '../../../../src/stores/directory-identity.js';
import { levelEngine } from '../../../../src/stores/leveldb.js';
import { memoryEngine } from '../../../../src/stores/memory.js';
import { openVerified } from '../../../../src/stores/open-verified.js';
import { counting, Flow } from '../harness.js';
import { CountedMetrics } from '../restore/harness.js';
import { WorkerBench } from '../worker-bench.js';

/** Real databases, and renewals every five seconds. */
vi.setConfig({ testTimeout: 30_000 });

const PARTITIONS = 4;
const PER_PARTITION = 500;

let bench: WorkerBench;
let folder: string;
/** The last value of each partition, whose records have one key. */
let written: number;

beforeEach(async () => {
  bench = WorkerBench.withTopics('out');
  bench.broker.createTopic('many', PARTITIONS);
  folder = await mkdtemp(join(tmpdir(), 'kstreamd-standby-'));
  written = 0;
});

afterEach(async () => {
  await bench.close();
  await rm(folder, { recursive: true });
});

interface Wanted {
  readonly engine?: string;
  readonly standby?: number;
  /** A second store in the task, which has no changelog. */
  readonly bare?: boolean;
}

function flow({ engine = 'leveldb', standby = 1, bare = false }: Wanted = {}): Flow {
  const made = new Flow().source('in', { topics: ['many'] });
  const store = { type: 'key-value', engine, key: 'string', value: 'json' } as const;
  made.builder.addStore({ ...store, name: 'counts', changelog: { topic: 'app-counts-changelog', config: { 'cleanup.policy': 'compact' } }, standby });
  if (bare) made.builder.addStore({ ...store, name: 'bare' });
  const stores = bare ? { counts: 'counts', bare: 'bare' } : { counts: 'counts' };
  made.builder.addProcessor({ name: 'count', create: counting('counts'), stores: stores as Record<string, string> }, ['in']);
  return made.sink('out', ['count']);
}

interface Running {
  readonly worker: Worker;
  readonly metrics: CountedMetrics;
  /** Changelog records that were restored here before tasks started. */
  restored(): number;
  /** Partitions that are followed here. */
  followed(): number[];
  stop(): Promise<void>;
}

async function start(id: string, wanted: Wanted & { place?: string; around?: (open: OpenTaskState) => OpenTaskState } = {}): Promise<Running> {
  const { place = id, around = (open) => open } = wanted;
  const metrics = new CountedMetrics();
  const cache = new CacheBudget(1e6);
  const engines = new Map([
    ['leveldb', levelEngine()],
    ['memory', memoryEngine()],
  ]);
  const stateDir = join(folder, place);
  const open: OpenTaskState = (asked) =>
    TaskState.open({
      ...asked,
      engines,
      serdeFor,
      cache,
      holdDirectory: (task) => openVerified(task, { instanceId: id, logger: asked.logger, onFindings: () => {} }),
    });
  const instance = { id, place: await directoryIdentity(stateDir) };
  const worker = bench.start(flow(wanted), { stateDir, openState: around(open), instance, metrics, instanceId: undefined });
  return {
    worker: worker.worker,
    metrics,
    restored: () => metrics.get('restore_records_total', { store: 'counts' }) ?? 0,
    followed: () => Array.from({ length: PARTITIONS }, (_, partition) => partition).filter((partition) => lag(metrics, partition) !== undefined),
    stop: () => worker.stop(),
  };
}

const lag = (metrics: CountedMetrics, partition: number) => metrics.get('standby_lag_records', { store: 'counts', partition: String(partition) });
const keys = Array.from({ length: PER_PARTITION }, (_, n) => `k${n}`);

/** One record of each key to each partition. */
function feed(): void {
  written++;
  for (let partition = 0; partition < PARTITIONS; partition++) for (const key of keys) bench.append('many', [0], partition, key);
}

async function processed(): Promise<void> {
  const all = Array.from({ length: PARTITIONS }, (_, partition) => partition);
  await bench.until(() => all.every((partition) => bench.committed('many', partition) === written * PER_PARTITION));
}

/** Every key of every partition was counted without a gap. */
function expectExact(): void {
  const counts = bench.values('out') as number[];
  for (let count = 1; count <= written; count++) expect(counts.filter((one) => one === count)).toHaveLength(PARTITIONS * PER_PARTITION);
  expect(counts).toHaveLength(written * PARTITIONS * PER_PARTITION);
}

const copied = (one: Running, records: number) => (one.metrics.get('standby_records_total', { store: 'counts' }) ?? 0) >= records;
const owned = (one: Running) => one.metrics.get('tasks') ?? 0;

describe.each(['leveldb', 'memory'])('S10: standby copies in %s', (engine) => {
  test('each instance follows what the other runs, and takes it over from its copy', async () => {
    const first = await start('a', { engine });
    feed();
    await processed();
    const second = await start('b', { engine });
    await bench.until(() => first.followed().length === 2 && second.followed().length === 2);
    expect([...first.followed(), ...second.followed()].sort()).toEqual([0, 1, 2, 3]);
    // What `b` restored before it started its own two.
    const before = second.restored();
    await bench.until(() => copied(second, 2 * PER_PARTITION) && second.followed().every((partition) => lag(second.metrics, partition) === 0));
    feed();
    await processed();
    await first.stop();
    feed();
    await processed();
    expect(second.restored() - before).toBeLessThan(2 * PER_PARTITION * written * 0.75);
    expectExact();
    expect(second.followed()).toEqual([]);
  });
});

describe('S10: standby copies', () => {
  test('a takeover restores the tail only', async () => {
    const first = await start('a');
    for (let round = 0; round < 5; round++) feed();
    await processed();
    const second = await start('b');
    await bench.until(() => copied(second, 10 * PER_PARTITION) && second.followed().every((partition) => lag(second.metrics, partition) === 0));
    const before = second.restored();
    await first.stop();
    await bench.until(() => owned(second) === PARTITIONS);
    expect(second.restored() - before).toBe(0);
    feed();
    await processed();
    expectExact();
  });

  test('where processes share a state directory there are none, and the directory itself goes from one to the other', async () => {
    const first = await start('a', { place: 'shared' });
    feed();
    await processed();
    const second = await start('b', { place: 'shared' });
    await bench.until(() => owned(first) === 2 && owned(second) === 2);
    feed();
    await processed();
    await bench.until(() => bench.broker.records('app-instances').filter(({ key }) => String(key) === 'b').length > 1);
    await first.stop();
    feed();
    await processed();
    expect(second.restored()).toBe(0);
    expect(copied(first, 1) || copied(second, 1)).toBe(false);
    expectExact();
  });

  test('a copy is let go for a neighbour on the same directory that takes the task over', async () => {
    const first = await start('a', { place: 'alone' });
    feed();
    await processed();
    const second = await start('b', { place: 'shared' });
    const third = await start('c', { place: 'shared' });
    await bench.until(() => owned(first) > 0 && owned(second) > 0 && owned(third) > 0 && owned(first) + owned(second) + owned(third) === PARTITIONS);
    const complete = (one: Running): boolean => one.followed().every((partition) => lag(one.metrics, partition) === 0);
    await bench.until(() => second.followed().length + third.followed().length === owned(first) && complete(second) && complete(third));
    feed();
    await processed();
    await first.stop();
    feed();
    await processed();
    expectExact();
    expect(bench.warnings.map(({ message }) => message)).not.toContain(
      'another process holds the state of this task: it is restored in a directory of its own',
    );
  });

  test('without the topic to tell of oneself there are none, with a warning, and all else goes on', async () => {
    bench.broker.refuse(({ topic }) => topic === 'app-instances');
    const first = await start('a');
    const second = await start('b');
    await bench.until(() => bench.warnings.filter(({ message }) => message.includes('no standby copies are kept here')).length === 2);
    feed();
    await processed();
    await first.stop();
    feed();
    await processed();
    expect(copied(second, 1)).toBe(false);
    expectExact();
  });

  test('a copy that cannot be made is warned of and tried again, and nothing else suffers', async () => {
    const attempts = new Map<string, number>();
    const around = (open: OpenTaskState): OpenTaskState => {
      return async (asked) => {
        if (!asked.onlyHere) return open(asked);
        const attempt = (attempts.get(asked.directory) ?? 0) + 1;
        attempts.set(asked.directory, attempt);
        if (attempt === 1) throw new StoreError('store/open', 'the disk said no');
        return open(asked);
      };
    };
    await start('a');
    const second = await start('b', { around });
    await bench.until(() => bench.warnings.filter(({ message }) => message.startsWith('a standby copy failed')).length >= 2);
    feed();
    await processed();
    expect(second.followed()).toEqual([]);
    expect(new Set(attempts.values())).toEqual(new Set([1]));
    bench.clock.advance(31_000); // what was told before is old now, so the next renewal is waited for
    await bench.until(() => second.followed().length === 2);
    expectExact();
  });

  test('the damaged files of a copy are set aside, and the copy is made anew later; the tasks that run do not notice (E4)', async () => {
    await start('a');
    feed();
    await processed();
    const second = await start('b');
    await bench.until(() => second.followed().length === 2 && copied(second, 2 * PER_PARTITION));
    const [partition] = second.followed();
    second.worker.damaged(join(folder, 'b', 'counts', String(partition), 'db'), 'a bit fell over');
    await bench.until(() => second.followed().length === 1);
    const names = async (): Promise<string[]> => readdir(join(folder, 'b', 'counts'));
    while (!(await names()).some((name) => name.startsWith(`${partition}.corrupt-`))) await new Promise((resolve) => setTimeout(resolve, 5));
    feed();
    await processed();
    bench.clock.advance(20 * 60_000);
    await bench.until(() => second.followed().length === 2 && copied(second, 5 * PER_PARTITION));
    expectExact();
  });

  test('who leaves says so', async () => {
    const first = await start('a');
    await bench.until(() => owned(first) === PARTITIONS);
    await first.stop();
    const told = bench.broker.records('app-instances');
    expect(told.at(-1)).toMatchObject({ key: Buffer.from('a'), value: null });
    expect(JSON.parse(String(told.at(-2)?.value))).toMatchObject({ tasks: { counts: [0, 1, 2, 3] }, copies: {} });
  });

  test('no topic is made where no store asks for copies, nor for tasks with a store that has no changelog', async () => {
    const first = await start('a', { standby: 0 });
    feed();
    await processed();
    await first.stop();
    expect(bench.broker.partitionCount('app-instances')).toBe(0);
    await start('b', { place: 'elsewhere', bare: true });
    await bench.until(() => bench.warnings.some(({ message }) => message.startsWith('these stores get no copies')));
    feed();
    await processed();
    expect(bench.broker.partitionCount('app-instances')).toBe(0);
  });
});
