import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Headers, NO_HEADERS } from '../core/headers.js';
import { type Logger, silentLogger } from '../core/logger.js';
import { noMetrics } from '../core/metrics.js';
import { partitionForKey } from '../core/murmur2.js';
import type { Origin } from '../core/origin.js';
import { OutputBatch, type OutputRecord } from '../core/output-batch.js';
import type { ErrorPolicy } from '../core/policy.js';
import type { KeyValueStore, StoreEngine } from '../core/store.js';
import type { Sink, TopicPartition } from '../core/transport.js';
import { CacheBudget } from '../runtime/cache-budget.js';
import { EngineMetrics } from '../runtime/metrics.js';
import { Task } from '../runtime/task.js';
import { inputsOf } from '../runtime/task-graph.js';
import { TaskState } from '../runtime/task-state.js';
import { SerdeSet } from '../serdes/serde-set.js';
import { memoryEngine } from '../stores/memory.js';
import type { Topology } from '../topology/topology.js';
import { DriverTables } from './driver-tables.js';
import { ManualClock } from './manual-clock.js';
import { LogBatch } from './partition-log.js';
import { type DriverEntry, PreloadedStores } from './preload.js';
import { writersFirst } from './writers-first.js';

/** A record for the driver to send; bytes as they would stand in Kafka. */
export interface DriverRecord {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** Epoch milliseconds; default: the driver's clock. */
  readonly timestamp?: number;
  readonly headers?: Headers;
  /** Default: by murmur2 of the key, 0 for a null key. */
  readonly partition?: number;
}

export interface DriverOptions {
  /** Those that the topology was compiled with, where its stores have formats with schemas. */
  readonly serdes?: SerdeSet;
  /** Most records in a batch; B3 says that results do not depend on it. Default: no bound. */
  readonly batchSize?: number;
  /** Partitions of topics; default 1 for each. */
  readonly partitions?: Readonly<Record<string, number>>;
  readonly onError?: ErrorPolicy;
  readonly deadLetter?: string;
  readonly clock?: ManualClock;
  /** Commit after every settling (default), or never, to look at what an abort undoes. */
  readonly commit?: boolean;
  /** Engines beside `memory`, which every store gets otherwise. */
  readonly engines?: ReadonlyMap<string, StoreEngine>;
  /** What is in stores, tables and global tables when the steps are set up, by their names; committed, and seen to come by no step. */
  readonly preload?: Readonly<Record<string, readonly DriverEntry[]>>;
  readonly logger?: Logger;
}

/** What came out, with the partition that murmur2 gave it. */
export type DriverOutput = OutputRecord & {
  readonly partition: number;
  /** The input record behind it, the last of several; undefined of what was sent, and of what a punctuation made. */
  readonly origin?: Origin | undefined;
};

const FAIL: ErrorPolicy = { retries: 0, backoff: { from: 0, to: 0 }, final: 'fail' };

/**
 * Runs a topology in memory, without a broker and without waiting: everything sent to a partition before
 * `settle` is one batch, also after a repartition topic. The tasks, stores and error rules are those of the daemon.
 */
export class TopologyDriver {
  readonly clock: ManualClock;
  private readonly tasks: Task[] = [];
  private readonly waiting = new Map<string, DriverOutput[]>();
  private readonly ends = new Map<string, number>();
  private readonly written = new Map<string, DriverOutput[]>();
  private readonly inputs: ReadonlySet<string>;
  private tables: DriverTables | undefined;
  /** The partition whose records are being processed. */
  private reading: TopicPartition | undefined;
  /** Where plugins find their own files; made when one asks. */
  private readonly directory = join(tmpdir(), `kstreamd-driver-${randomUUID()}`);

  private constructor(
    private readonly topology: Topology,
    private readonly options: DriverOptions,
  ) {
    this.clock = options.clock ?? new ManualClock();
    this.inputs = new Set(topology.subtopologies.flatMap((one) => one.topics));
  }

  /** Rejects with a ConfigError for an entry to preload that its store does not take. */
  static async open(topology: Topology, options: DriverOptions = {}): Promise<TopologyDriver> {
    const driver = new TopologyDriver(topology, options);
    try {
      await driver.openTasks();
    } catch (error) {
      await driver.close();
      throw error;
    }
    return driver;
  }

  /** Puts records into a topic; they are processed by `settle`. Returns where each of them is. */
  send(topic: string, records: readonly DriverRecord[]): Origin[] {
    return records.map(({ key, value, timestamp = this.clock.now(), headers = NO_HEADERS, partition }) =>
      this.append({ topic, key, value, timestamp, headers, partition }),
    );
  }

  /** Processes until nothing waits. */
  async settle(): Promise<void> {
    for (let again = true; again; ) {
      again = false;
      await this.tables?.settle();
      for (const task of this.tasks) again = (await this.runTask(task)) || again;
    }
    if (this.options.commit !== false) await this.commit();
  }

  /** Moves the wall clock, fires what is due, and settles. */
  async advance(ms: number): Promise<void> {
    await this.settle();
    this.clock.advance(ms);
    this.reading = undefined;
    for (const task of this.tasks) await task.punctuateWallClock();
    await this.settle();
  }

  /** Everything written to a topic so far, in order; internal topics too. */
  output(topic: string): readonly DriverOutput[] {
    return this.written.get(topic) ?? [];
  }

  get outputTopics(): readonly string[] {
    return [...this.written.keys()];
  }

  /** Partitions of the tasks that have a store; 1 of a global table. */
  partitionsOf(store: string): number {
    const subtopology = this.topology.subtopologies.find((one) => one.stores.includes(store));
    return this.tasks.filter(({ taskId }) => taskId.startsWith(`${subtopology?.id}_`)).length || 1;
  }

  /** A store of the task that runs this partition, or a global table. */
  store<K = unknown, V = unknown>(name: string, partition = 0): KeyValueStore<K, V> {
    if (this.topology.globals.has(name)) return (this.tasks[0] as Task).store(name) as KeyValueStore<K, V>;
    const subtopology = this.topology.subtopologies.find((one) => one.stores.includes(name));
    const task = this.tasks.find((one) => one.taskId === `${subtopology?.id}_${partition}`);
    if (!task) throw new Error(`no task of partition ${partition} has a store named "${name}"`);
    return task.store(name) as KeyValueStore<K, V>;
  }

  async commit(): Promise<void> {
    for (const task of this.tasks) {
      task.state.committed();
      await task.state.flush(task.queues.map((queue) => ({ ...queue.partition, offset: queue.position })));
      task.committed();
    }
  }

  /** Undoes everything since the last commit and reads those records again with the next `settle` (B6). */
  async abort(): Promise<void> {
    for (const task of this.tasks) {
      const rewound = task.queues.map((queue) => ({ queue, from: queue.rewindTo }));
      await task.abort(false);
      for (const { queue, from } of rewound) {
        const key = `${queue.partition.topic}-${queue.partition.partition}`;
        queue.clear();
        this.waiting.set(
          key,
          this.output(queue.partition.topic)
            .filter((record) => record.partition === queue.partition.partition)
            .slice(from),
        );
        this.ends.set(`${key}/read`, from);
      }
    }
  }

  async close(): Promise<void> {
    for (const task of this.tasks) await task.close();
    await this.tables?.close();
    await rm(this.directory, { recursive: true, force: true });
  }

  private async openTasks(): Promise<void> {
    const { topology, options } = this;
    const serdes = options.serdes ?? new SerdeSet(new Map());
    const preloaded = new PreloadedStores(topology, serdes, options.preload ?? {});
    const count = (topic: string): number => this.partitionCount(topic);
    const cache = new CacheBudget(64e6);
    this.tables = await DriverTables.open(topology, { serdes, engines: options.engines, cache, logger: options.logger ?? silentLogger });
    preloaded.fillGlobals((topic, key, value) => this.tables?.add(topic, key, value));
    await this.tables.settle();
    for (const subtopology of writersFirst(topology)) {
      const stores = subtopology.stores.map((name) => topology.stores.get(name)).filter((store) => store !== undefined);
      const partitions = Math.max(...subtopology.topics.map(count));
      for (let partition = 0; partition < partitions; partition++) {
        const logger = options.logger ?? silentLogger;
        const engines = options.engines ?? new Map(stores.map((store) => [store.engine, memoryEngine()]));
        const directory = join(this.directory, `${subtopology.id}_${partition}`);
        if ([...engines.values()].some(({ persistent }) => persistent)) mkdirSync(directory, { recursive: true });
        const state = await TaskState.open({
          application: topology.applicationId,
          directory,
          stores,
          engines,
          serdeFor: (format) => serdes.get(format),
          cache,
          logger,
        });
        const task = new Task({
          topology,
          subtopology,
          partition,
          inputs: inputsOf(subtopology, partition, count).map((input) => ({ ...input, offset: 0, partitionTime: -1, replayUntil: 0 })),
          state,
          globals: this.tables,
          stateDir: directory,
          sink: this.sink(),
          changelogs: [],
          partitionCount: count,
          onError: options.onError ?? FAIL,
          deadLetter: options.deadLetter,
          clock: this.clock,
          logger,
          metrics: new EngineMetrics(noMetrics),
          sleep: async (ms) => this.clock.advance(ms),
          commits: { now: async () => {}, beforeMore: () => undefined },
        });
        this.tasks.push(task);
        for (const { name } of stores) preloaded.fill(name, state.store(name), partition, partitions);
        state.endBatch();
        state.committed();
        await state.flush([]);
        await task.init();
      }
    }
  }

  private async runTask(task: Task): Promise<boolean> {
    let worked = false;
    for (const queue of task.queues) {
      const key = `${queue.partition.topic}-${queue.partition.partition}`;
      const records = this.waiting.get(key);
      if (records === undefined || records.length === 0) continue;
      this.waiting.set(key, []);
      const first = this.ends.get(`${key}/read`) ?? 0;
      this.ends.set(`${key}/read`, first + records.length);
      const { topic, partition } = queue.partition;
      queue.push(
        new LogBatch(
          topic,
          partition,
          records.map((record, i) => ({ ...record, offset: first + i })),
        ),
      );
    }
    const { batchSize = Number.POSITIVE_INFINITY } = this.options;
    for (let queue = task.nextQueue(() => true); queue; queue = task.nextQueue(() => true)) {
      await queue.prepare(batchSize).needs;
      this.reading = queue.partition;
      await task.runBatch(queue, batchSize);
      worked = true;
    }
    return worked;
  }

  private sink(): Sink {
    return {
      send: (outputs) => this.write(outputs),
      flush: async () => {},
      maxRecordBytes: 1_000_000,
      close: async () => {},
    };
  }

  private write(outputs: OutputBatch): OutputBatch {
    for (let i = 0; i < outputs.length; i++) this.append(outputs.recordAt(i), this.originAt(outputs.positions[i] ?? -1));
    return new OutputBatch();
  }

  private originAt(offset: number): Origin | undefined {
    return this.reading === undefined || offset < 0 ? undefined : { ...this.reading, offset };
  }

  private append(record: OutputRecord, origin?: Origin): Origin {
    const count = this.partitionCount(record.topic);
    const partition = record.partition ?? (record.key === null ? 0 : partitionForKey(record.key, count));
    const placed: DriverOutput = { ...record, partition, origin };
    const written = this.written.get(record.topic);
    if (written) written.push(placed);
    else this.written.set(record.topic, [placed]);
    const key = `${record.topic}-${partition}`;
    const offset = this.ends.get(key) ?? 0;
    this.ends.set(key, offset + 1);
    this.tables?.add(record.topic, record.key, record.value);
    if (this.inputs.has(record.topic)) {
      const waiting = this.waiting.get(key);
      if (waiting) waiting.push(placed);
      else this.waiting.set(key, [placed]);
    }
    return { topic: record.topic, partition, offset };
  }

  private partitionCount(topic: string): number {
    return this.options.partitions?.[topic] ?? 1;
  }
}
