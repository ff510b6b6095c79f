import type { Logger } from '../../../src/core/logger.js';
import { noMetrics } from '../../../src/core/metrics.js';
import type { TaskStorage, TaskStoreEngine } from '../../../src/core/store.js';
import type { GroupMember, PartitionReader, Sink, Transport } from '../../../src/core/transport.js';
import { CacheBudget } from '../../../src/runtime/cache-budget.js';
import { TaskState } from '../../../src/runtime/task-state.js';
import { Worker } from '../../../src/runtime/worker.js';
import type { WorkerOptions } from '../../../src/runtime/worker-options.js';
import { serdeFor } from '../../../src/serdes/formats.js';
import { memoryEngine } from '../../../src/stores/memory.js';
import { ManualClock } from '../../../src/testing/manual-clock.js';
import { MemoryBroker } from '../../../src/testing/memory-broker.js';
import { counting, Flow, onError, pass, valuesOf } from './harness.js';

/** What a worker asks of its clients, in order; a test may change what they answer. */
export interface Hooks {
  readonly member?: (member: GroupMember) => GroupMember;
  readonly reader?: (reader: PartitionReader) => PartitionReader;
}

/** Stores that outlive their tasks, as a disk does; `lose` is a crash before the flush. */
export class Disk {
  lose = false;
  private readonly tasks = new Map<string, TaskStorage>();

  readonly engine: TaskStoreEngine = {
    persistent: true,
    openTask: async (options) => {
      const kept = this.tasks.get(options.directory) ?? (await memoryEngine().openTask(options));
      this.tasks.set(options.directory, kept);
      return {
        store: (name) => kept.store(name),
        apply: (changes, positions) => (this.lose ? undefined : kept.apply(changes, positions)),
        positions: () => kept.positions(),
        clear: () => kept.clear(),
        close: () => {},
      };
    },
  };
}

export interface RunningWorker {
  readonly worker: Worker;
  /** What `run` came to. */
  readonly ended: Promise<unknown>;
  /** Sends, flushes, commits and pauses, in order. */
  readonly diary: string[];
  stop(): Promise<void>;
}

/** From `in` to `out`, unchanged. */
export function copy(): Flow {
  return new Flow().source('in').step('copy', ['in'], pass).sink('out', ['copy']);
}

/** Counts `in` by key in the store `counts`, to `out`. */
export function count(): Flow {
  return new Flow()
    .source('in')
    .step('count', ['in'], counting('counts'), { stores: ['counts'] })
    .sink('out', ['count']);
}

/** Workers on an in-memory broker with a clock that stands still. */
export class WorkerBench {
  readonly broker = new MemoryBroker({ readWaitMs: 5 });
  readonly clock = new ManualClock();
  readonly disk = new Disk();
  readonly warnings: { readonly fields: any; readonly message: string }[] = [];
  /** Of the levels debug and info. */
  readonly infos: { readonly fields: any; readonly message: string }[] = [];
  private readonly running: RunningWorker[] = [];

  /** Each topic has one partition. */
  static withTopics(...topics: readonly string[]): WorkerBench {
    const bench = new WorkerBench();
    for (const topic of topics) bench.broker.createTopic(topic);
    return bench;
  }

  start(flow: Flow, options: Partial<WorkerOptions> = {}, hooks: Hooks = {}): RunningWorker {
    const diary: string[] = [];
    const cache = new CacheBudget(1e6);
    const worker = new Worker({
      topology: flow.build(),
      transport: this.transport(diary, hooks),
      openState: (given) => TaskState.open({ ...given, engines: new Map([['memory', this.disk.engine]]), serdeFor, cache }),
      stateDir: 'state',
      instanceId: undefined,
      batch: { maxRecords: 100, maxWaitMs: 10, maxBytes: 1e6 },
      transactions: undefined,
      commit: { intervalMs: 0, flushMs: 1000, maxBufferedBytes: 64e6 },
      onError: onError('fail'),
      deadLetter: undefined,
      slowBatchMs: 10_000,
      clock: this.clock,
      logger: this.logger(),
      metrics: noMetrics,
      ...options,
    });
    const ended = worker.run().then(
      () => undefined,
      (error: unknown) => error,
    );
    const stop = async (): Promise<void> => {
      worker.stop();
      const error = await ended;
      if (error !== undefined) throw error;
    };
    const started = { worker, ended, diary, stop };
    this.running.push(started);
    return started;
  }

  /** Writes JSON values to a partition, all of one key. */
  append(topic: string, values: readonly unknown[], partition = 0, key = 'k'): void {
    for (const value of values) this.broker.append(topic, { partition, key: Buffer.from(key), value: Buffer.from(JSON.stringify(value)), timestamp: 1000 });
  }

  values(topic: string): unknown[] {
    return valuesOf(this.broker.records(topic));
  }

  /** Records that the last restore took; undefined before one. */
  restored(): number | undefined {
    return this.infos.findLast(({ message }) => message === 'stores restored')?.fields.records;
  }

  committed(topic = 'in', partition = 0, group = 'app'): number | undefined {
    return this.broker.group(group).committed({ topic, partition })?.offset;
  }

  /** Waits for a condition; with `advance`, the clock moves by so much at each look. */
  async until(condition: () => boolean, advance = 0): Promise<void> {
    while (!condition()) {
      await new Promise((resolve) => setTimeout(resolve, 2));
      this.clock.advance(advance);
    }
  }

  /** It will never end: it was killed. */
  forget({ worker }: RunningWorker): void {
    const index = this.running.findIndex((one) => one.worker === worker);
    if (index >= 0) this.running.splice(index, 1);
  }

  /** Stops whatever still runs. */
  async close(): Promise<void> {
    for (const { worker } of this.running) worker.stop();
    await Promise.all(this.running.map(({ ended }) => ended));
  }

  private logger(): Logger {
    const warn = (fields: object, message: string): void => void this.warnings.push({ fields, message });
    const info = (fields: object, message: string): void => void this.infos.push({ fields, message });
    const logger: Logger = { debug: info, info, warn, error: warn, child: () => logger };
    return logger;
  }

  private transport(diary: string[], hooks: Hooks): Transport {
    const { broker } = this;
    return {
      member: async (options) => {
        const { member, reader } = await broker.member(options);
        const noted = noting(diary, member, reader);
        return { member: hooks.member?.(noted.member) ?? noted.member, reader: hooks.reader?.(noted.reader) ?? noted.reader };
      },
      reader: (options) => broker.reader(options),
      sink: async (options) => notingSink(diary, await broker.sink(options)),
      admin: () => broker.admin(),
      onReachable: (listener) => broker.onReachable(listener),
    };
  }
}

function noting(diary: string[], member: GroupMember, reader: PartitionReader): { member: GroupMember; reader: PartitionReader } {
  return {
    member: over(member, {
      commit: async (offsets) => {
        await member.commit(offsets);
        for (const { topic, partition, offset } of offsets) diary.push(`committed ${topic}-${partition}@${offset}`);
      },
    }),
    reader: over(reader, {
      read: (max) => {
        diary.push('read');
        return reader.read(max);
      },
      pause: (partitions) => {
        diary.push('pause');
        reader.pause(partitions);
      },
      resume: (partitions) => {
        diary.push('resume');
        reader.resume(partitions);
      },
    }),
  };
}

function notingSink(diary: string[], sink: Sink): Sink {
  return over(sink, {
    send: (outputs) => {
      for (let i = 0; i < outputs.length; i++) diary.push(`send ${outputs.valueAt(i)}`);
      return sink.send(outputs);
    },
    flush: async () => {
      await sink.flush();
      diary.push('flushed');
    },
  });
}

/** The object with some methods replaced. */
export function over<T extends object>(target: T, replaced: Partial<T>): T {
  return new Proxy(target, {
    get: (_, name) => {
      const own = replaced[name as keyof T] ?? target[name as keyof T];
      return typeof own === 'function' ? own.bind(target) : own;
    },
  });
}
