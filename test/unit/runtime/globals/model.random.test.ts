import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../../../../src/core/logger.js';
import { partitionForKey } from '../../../../src/core/murmur2.js';
import type { TaskStoreEngine } from '../../../../src/core/store.js';
import { CacheBudget } from '../../../../src/runtime/cache-budget.js';
import { GlobalTables } from '../../../../src/runtime/globals/global-tables.js';
import type { GlobalTableReader } from '../../../../src/runtime/globals/table-reader.js';
import { EngineMetrics } from '../../../../src/runtime/metrics.js';
import { TaskState } from '../../../../src/runtime/task-state.js';
import { serdeFor } from '../../../../src/serdes/formats.js';
import { levelEngine } from '../../../../src/stores/leveldb.js';
import { memoryEngine } from '../../../../src/stores/memory.js';
import { openVerified } from '../../../../src/stores/open-verified.js';
import { ManualClock } from '../../../../src/testing/manual-clock.js';
import { MemoryBroker } from '../../../../src/testing/memory-broker.js';
import { each } from '../harness.js';
import { CountedMetrics, dyingAfter } from '../restore/harness.js';
import { enriched, TABLE, TOPIC } from './harness.js';

const directories: string[] = [];

afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

/** A topic with what it holds by key, and the tables of one process after another on it. */
class Life {
  readonly broker = new MemoryBroker({ readWaitMs: 1 });
  readonly model = new Map<string, string>();
  readonly metrics = new CountedMetrics();
  private readonly stateDir = mkdtempSync(join(tmpdir(), 'kstreamd-global-'));
  private readonly clock = new ManualClock();
  private tables: GlobalTables | undefined;
  private failed: unknown;

  constructor(
    private readonly engine: 'leveldb' | 'memory',
    private readonly partitions: number,
  ) {
    directories.push(this.stateDir);
    this.broker.createTopic(TOPIC, partitions, { 'cleanup.policy': 'compact' });
  }

  write(entries: readonly (readonly [number, number | null])[]): void {
    for (const [k, v] of entries) {
      const key = `key-${k}`;
      const bytes = Buffer.from(key);
      const partition = partitionForKey(bytes, this.partitions);
      this.broker.append(TOPIC, { partition, key: bytes, value: v === null ? null : Buffer.from(`v${v}`) });
      if (v === null) this.model.delete(key);
      else this.model.set(key, `v${v}`);
    }
  }

  recreate(): void {
    this.broker.deleteTopic(TOPIC);
    this.broker.createTopic(TOPIC, this.partitions, { 'cleanup.policy': 'compact' });
    this.model.clear();
  }

  /** With `dies`, the disk takes so many writes and no more. */
  async start(dies?: number): Promise<void> {
    this.failed = undefined;
    const real = this.engine === 'leveldb' ? levelEngine() : memoryEngine();
    const engine: TaskStoreEngine = {
      persistent: real.persistent,
      openTask: async (options) => {
        const storage = await real.openTask(options);
        return dies === undefined ? storage : dyingAfter(storage, dies);
      },
    };
    const options = { logger: silentLogger, onFindings: () => {}, clock: this.clock };
    this.tables = new GlobalTables({
      topology: enriched({ engine: this.engine, create: each(() => {}) }).build(),
      transport: this.broker,
      stateDir: this.stateDir,
      serdeFor,
      openState: (asked) =>
        TaskState.open({
          ...asked,
          engines: new Map([[this.engine, engine]]),
          serdeFor,
          cache: new CacheBudget(2000),
          holdDirectory: (task) => openVerified(task, options),
        }),
      clock: this.clock,
      logger: silentLogger,
      engineMetrics: new EngineMetrics(this.metrics),
      opened: () => {},
      failed: (error) => {
        this.failed = error;
      },
    });
    await this.tables.load().catch((error: unknown) => {
      if ((error as Error).message !== 'died') throw error;
    });
  }

  async stop(): Promise<void> {
    await this.tables?.close();
    this.tables = undefined;
  }

  /** What the table holds once it has all of its topic. */
  async expectModel(): Promise<void> {
    const table = this.tables?.reading(TABLE) as GlobalTableReader;
    const ends = Array.from({ length: this.partitions }, (_, partition) => this.broker.log({ topic: TOPIC, partition }).high);
    const reached = (): boolean => !table.loading && ends.every((end, p) => (table.positions.find(({ partition }) => partition === p)?.offset ?? -1) === end);
    while (!reached()) {
      if (this.failed) throw this.failed;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const found: [string, string][] = [];
    for await (const [key, value] of table.range({})) found.push([String(key), String(value)]);
    expect(found).toEqual([...this.model].sort(([a], [b]) => (a < b ? -1 : 1)));
    for (const [key, value] of this.model) expect(String(table.get(Buffer.from(key)))).toBe(value);
    expect(table.get(Buffer.from('key-none'))).toBeNull();
  }
}

type Step = { readonly write: [number, number | null][] } | 'check' | 'restart' | 'recreate' | { readonly crashAfter: number };

const entry = fc.tuple(fc.nat(30), fc.oneof({ weight: 3, arbitrary: fc.nat(1000) }, { weight: 1, arbitrary: fc.constant(null) }));
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.array(entry, { minLength: 1, maxLength: 200 }).map((write) => ({ write })) },
  { weight: 3, arbitrary: fc.constant<Step>('check') },
  { weight: 2, arbitrary: fc.constant<Step>('restart') },
  { weight: 1, arbitrary: fc.constant<Step>('recreate') },
  { weight: 2, arbitrary: fc.nat(4).map((crashAfter) => ({ crashAfter })) },
);

async function live(life: Life, steps: readonly Step[]): Promise<void> {
  await life.start();
  try {
    for (const one of steps) {
      if (one === 'check') await life.expectModel();
      else if (one === 'restart' || one === 'recreate') {
        await life.stop();
        if (one === 'recreate') life.recreate();
        await life.start();
      } else if ('write' in one) life.write(one.write);
      else {
        await life.stop();
        await life.start(one.crashAfter);
        life.write([
          [1, 1],
          [2, null],
        ]);
        await new Promise((resolve) => setTimeout(resolve, 5));
        await life.stop();
        await life.start();
      }
    }
    await life.expectModel();
  } finally {
    await life.stop();
  }
}

describe('S6: a global table holds the last value of each key of its topic', () => {
  test.each(['leveldb', 'memory'] as const)(
    'whatever is written, through restarts, crashes and topics made anew: %s',
    async (engine) => {
      await fc.assert(
        fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.array(step, { minLength: 1, maxLength: 12 }), (partitions, steps) =>
          live(new Life(engine, partitions), steps),
        ),
        { numRuns: engine === 'leveldb' ? 40 : 60 },
      );
    },
    60_000,
  );

  test('a restart reads the tail only', async () => {
    const life = new Life('leveldb', 3);
    await life.start();
    life.write(Array.from({ length: 500 }, (_, i) => [i, i]));
    await life.expectModel();
    await life.stop();
    life.write([[7, null]]);
    await life.start();
    await life.expectModel();
    expect(life.metrics.get('restore_records_total', { store: TABLE })).toBe(1);
    await life.stop();
  });
});
