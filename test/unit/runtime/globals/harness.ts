import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KeyValueStore, StoreEngine } from '../../../../src/core/store.js';
import type { PartitionReader, ReadResult, Transport } from '../../../../src/core/transport.js';
import { CacheBudget } from '../../../../src/runtime/cache-budget.js';
import { TaskState } from '../../../../src/runtime/task-state.js';
import type { WorkerOptions } from '../../../../src/runtime/worker-options.js';
import { serdeFor } from '../../../../src/serdes/formats.js';
import { levelEngine } from '../../../../src/stores/leveldb.js';
import { memoryEngine } from '../../../../src/stores/memory.js';
import { openVerified, type VerifyOnOpen } from '../../../../src/stores/open-verified.js';
import { each, Flow } from '../harness.js';
import { CountedMetrics } from '../restore/harness.js';
import { over, type RunningWorker, WorkerBench } from '../worker-bench.js';

export const TABLE = 'products';
export const TOPIC = 'product-topic';

export interface TableFlow {
  readonly engine?: string;
  readonly value?: string;
  /** What the step does with each record; default: it forwards what the table has under the record's key. */
  readonly create?: Parameters<Flow['step']>[2];
  readonly tables?: Readonly<Record<string, string>>;
}

/** From `in` to `out`, with what the global table holds for the key. */
export function enriched({ engine = 'leveldb', value = 'json', create = lookUp, tables = { [TABLE]: TOPIC } }: TableFlow = {}): Flow {
  const flow = new Flow().source('in');
  for (const [name, topic] of Object.entries(tables)) flow.builder.addGlobalTable({ name, topic, engine, key: 'string', value });
  const stores = Object.fromEntries(Object.keys(tables).map((name) => [name, name]));
  flow.builder.addProcessor({ name: 'join', create, stores }, ['in']);
  return flow.sink('out', ['join']);
}

export const lookUp = each((record, context) =>
  context.forward(record.withValue({ of: record.value, is: (context.store(TABLE) as KeyValueStore).get(record.key) })),
);

/** Workers with global tables on disks of their own, on one in-memory broker. */
export class TableBench extends WorkerBench {
  readonly stateDir = mkdtempSync(join(tmpdir(), 'kstreamd-global-'));
  readonly metrics = new CountedMetrics();

  constructor(partitions = 3) {
    super();
    this.broker.createTopic('in');
    this.broker.createTopic('out');
    this.broker.createTopic(TOPIC, partitions, { 'cleanup.policy': 'compact' });
  }

  directory(table = TABLE): string {
    return join(this.stateDir, '@global', table);
  }

  startOn(
    flow: Flow,
    { hold = {}, engines = {}, ...options }: Partial<WorkerOptions> & { hold?: Partial<VerifyOnOpen>; engines?: Record<string, StoreEngine> } = {},
  ): RunningWorker {
    const cache = new CacheBudget(1e6);
    const all = new Map<string, StoreEngine>(Object.entries({ leveldb: levelEngine({ writeBufferBytes: 65_536 }), memory: memoryEngine(), ...engines }));
    const holding: VerifyOnOpen = {
      logger: { debug() {}, info() {}, warn() {}, error() {}, child: () => holding.logger },
      onFindings: () => {},
      lockWaitMs: 50,
      clock: this.clock,
      ...hold,
    };
    return this.start(flow, {
      stateDir: this.stateDir,
      metrics: this.metrics,
      serdeFor,
      openState: (asked) => TaskState.open({ ...asked, engines: all, serdeFor, cache, holdDirectory: (task) => openVerified(task, holding) }),
      ...options,
    });
  }

  /** To the table's topic; null deletes. */
  set(key: string | null, value: unknown, partition = 0, topic = TOPIC): void {
    const bytes = value === null ? null : Buffer.from(JSON.stringify(value));
    this.broker.append(topic, { partition, key: key === null ? null : Buffer.from(key), value: bytes, timestamp: 1000 });
  }

  /** Asks through the pipeline what the table has; resolves with the answer. */
  async ask(key: string): Promise<unknown> {
    const before = this.values('out').length;
    this.append('in', [0], 0, key);
    await this.until(() => this.values('out').length > before);
    return (this.values('out')[before] as { is: unknown }).is;
  }

  /** Asks until the answer is this one. */
  async untilAnswer(key: string, wanted: unknown): Promise<void> {
    while (JSON.stringify(await this.ask(key)) !== JSON.stringify(wanted)) await new Promise((resolve) => setTimeout(resolve, 2));
  }

  async ready({ worker }: RunningWorker): Promise<void> {
    await this.until(() => worker.unready.length === 0);
  }

  override async close(): Promise<void> {
    await super.close();
    rmSync(this.stateDir, { recursive: true, force: true });
  }
}

/** The cluster, with readers of tables and changelogs whose reads are these. */
export function reading(broker: Transport, read: (reader: PartitionReader, max: number) => Promise<ReadResult>): Transport {
  return over(broker, {
    reader: async (options) => {
      const reader = await broker.reader(options);
      return over(reader, { read: (max) => read(reader, max) });
    },
  });
}
