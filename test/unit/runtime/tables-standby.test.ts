import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { CacheBudget } from '../../../src/runtime/cache-budget.js';
import { TaskState } from '../../../src/runtime/task-state.js';
import { serdeFor } from '../../../src/serdes/formats.js';
import { memoryEngine } from '../../../src/stores/memory.js';
import type { Flow } from './harness.js';
import { flowFrom, joined } from './joining.js';
import { CountedMetrics } from './restore/harness.js';
import { WorkerBench } from './worker-bench.js';

vi.setConfig({ testTimeout: 30_000 });

const PARTITIONS = [0, 1];
const KEYS = Array.from({ length: 200 }, (_, n) => `k${n}`);

let bench: WorkerBench;
let flow: Flow;

beforeEach(async () => {
  bench = WorkerBench.withTopics('out');
  for (const topic of ['in', 'table']) bench.broker.createTopic(topic, PARTITIONS.length, { 'cleanup.policy': 'compact' });
  flow = await flowFrom(joined(', standby: 1'));
});

afterEach(() => bench.close());

/** Rows of one version, or stream records that expect them, to each partition. */
function feed(topic: 'in' | 'table', version: number, timestamp: number): void {
  const value = Buffer.from(JSON.stringify(topic === 'in' ? { version } : version));
  for (const partition of PARTITIONS) for (const key of KEYS) bench.broker.append(topic, { partition, key: Buffer.from(key), value, timestamp });
}

const processed = (topic: string, times: number): Promise<void> =>
  bench.until(() => PARTITIONS.every((partition) => bench.committed(topic, partition) === times * KEYS.length), 5);

interface Instance {
  readonly copied: () => number;
  readonly restored: () => number;
  readonly tasks: () => number;
  stop(): Promise<void>;
}

function start(id: string): Instance {
  const metrics = new CountedMetrics();
  const cache = new CacheBudget(1e6);
  const engines = new Map([['memory', memoryEngine()]]);
  const running = bench.start(flow, {
    stateDir: id,
    openState: (asked) => TaskState.open({ ...asked, engines, serdeFor, cache }),
    instance: { id, place: id },
    metrics,
  });
  const of = (name: string): number => metrics.get(name, { store: 'names' }) ?? 0;
  return {
    copied: () => of('standby_records_total'),
    restored: () => of('restore_records_total'),
    tasks: () => metrics.get('tasks') ?? 0,
    stop: () => running.stop(),
  };
}

describe('S5, S10: copies of a table', () => {
  test('follow its topic as far as the group has committed, and take over from there', async () => {
    const a = start('a');
    await bench.until(() => a.tasks() === 2, 5);
    const b = start('b');
    await bench.until(() => a.tasks() === 1 && b.tasks() === 1, 5);
    feed('table', 1, 10);
    await processed('table', 1);
    await bench.until(() => a.copied() >= KEYS.length && b.copied() >= KEYS.length, 50);
    await a.stop();
    await bench.until(() => b.tasks() === 2, 5);
    expect(b.restored()).toBe(0);
    feed('in', 1, 30);
    await bench.until(() => bench.values('out').length === PARTITIONS.length * KEYS.length, 5);
    expect(new Set((bench.values('out') as { version: number; name: number }[]).map(({ version, name }) => version === name))).toEqual(new Set([true]));
  });
});
