import { expect } from 'vitest';
import { isPromise } from '../../../src/core/maybe.js';
import { OutputBatch } from '../../../src/core/output-batch.js';
import type { StoreDefinition, StoredPosition, TaskStorage, TaskStoreEngine } from '../../../src/core/store.js';
import type { GroupMember, Isolation, Sink, Transport } from '../../../src/core/transport.js';
import { CacheBudget } from '../../../src/runtime/cache-budget.js';
import { TaskState } from '../../../src/runtime/task-state.js';
import type { Worker } from '../../../src/runtime/worker.js';
import type { WorkerOptions } from '../../../src/runtime/worker-options.js';
import { serdeFor } from '../../../src/serdes/formats.js';
import { memoryEngine } from '../../../src/stores/memory.js';
import { MemoryMember } from '../../../src/testing/memory-client.js';
import type { LogRecord } from '../../../src/testing/partition-log.js';
import { type Context, counting, each, Flow } from './harness.js';
import { over, type WorkerBench } from './worker-bench.js';

export const HOUR = 3_600_000;
export const CHANGELOG = 'app-counts-changelog';
export const EXACTLY_ONCE = { transactions: { id: 'app-one-0', timeoutMs: 60_000 } } as const;

/** A commit only when a test asks for one, and no flush but those at the end. */
export function commits(intervalMs: number, flushMs = HOUR, maxBufferedBytes = 64e6): Pick<WorkerOptions, 'commit'> {
  return { commit: { intervalMs, flushMs, maxBufferedBytes } };
}

export function storeOf(name: string, changelog = true): StoreDefinition {
  const definition = { name, type: 'key-value', engine: 'memory', key: 'string', value: 'json' } as const;
  return changelog ? { ...definition, changelog: { topic: `app-${name}-changelog`, config: { 'cleanup.policy': 'compact' } } } : definition;
}

/** From `topic` to `out`, through a step with these stores. */
export function stateful(
  create: Parameters<Flow['step']>[2],
  stores: readonly StoreDefinition[] = [storeOf('counts')],
  topics: readonly string[] = ['in'],
): Flow {
  const flow = new Flow().source('in', { topics });
  for (const store of stores) flow.builder.addStore(store);
  const names = Object.fromEntries(stores.map(({ name }) => [name, name]));
  flow.builder.addProcessor({ name: 'step', create, stores: names }, ['in']);
  return flow.sink('out', ['step']);
}

/** Counts by key in the store `counts`, which has a changelog; one output a record. */
export function counted(topics?: readonly string[]): Flow {
  return stateful(counting('counts'), [storeOf('counts')], topics);
}

/** What a step does with each record and the store `counts`. */
export function storing(process: (key: string, value: any, context: Context) => void): ReturnType<typeof each> {
  return each((record, context) => {
    process(record.key, record.value, context);
    context.forward(record);
  });
}

export function entry({ key, value, timestamp }: Pick<LogRecord, 'key' | 'value' | 'timestamp'>): string {
  return `${key}=${value}@${timestamp}`;
}

/** Key and value of the records that readers of committed ones see, unless told otherwise. */
export function written(bench: WorkerBench, topic: string, isolation: Isolation = 'read_committed'): string[] {
  return bench.broker.records(topic, isolation).map(({ key, value }) => `${key}=${value}`);
}

/** The last value of each key; deleted ones are left out. */
export function fold(records: readonly Pick<LogRecord, 'key' | 'value'>[]): Record<string, unknown> {
  const values = new Map<string, unknown>();
  for (const { key, value } of records) {
    if (value === null) values.delete(String(key));
    else values.set(String(key), JSON.parse(String(value)));
  }
  return Object.fromEntries([...values].sort());
}

type OnCall = (call: string, when: 'before' | 'after') => void;

/** A process that can be killed: from then on no call of its clients returns, and none that follows is made. */
export class Mortal {
  dead = false;
  /** Called before and after each call, with what it is about. */
  onCall: OnCall = () => {};

  /** Calls this too. */
  alsoOnCall(listener: OnCall): void {
    const { onCall } = this;
    this.onCall = (call, when) => {
      onCall(call, when);
      listener(call, when);
    };
  }

  wrap(transport: Transport): Transport {
    return {
      member: async (options) => {
        const { member, reader } = await this.living(transport.member(options), 'member');
        return { member: this.guard(member), reader: this.guard(reader) };
      },
      reader: async (options) => this.guard(await this.living(transport.reader(options), 'reader')),
      sink: async (options) => {
        const sink = await this.living(transport.sink(options), 'sink');
        this.sink = sink;
        this.openFor = () => (sink.transaction?.since === undefined ? 0 : performance.now() - sink.transaction.since);
        return this.guard(sink);
      },
      admin: async () => this.guard(await this.living(transport.admin(), 'admin')),
      onReachable: (listener) => transport.onReachable(listener),
    };
  }

  guard<T extends object>(target: T, prefix = ''): T {
    return new Proxy(target, {
      get: (_, name) => {
        const own = target[name as keyof T] as unknown;
        if (name === 'transaction' && typeof own === 'object' && own !== null) return this.guard(own, 'transaction.');
        return typeof own === 'function' ? (...given: unknown[]) => this.call(`${prefix}${String(name)}`, given, () => own.apply(target, given)) : own;
      },
    });
  }

  /** As the broker's transport made it. */
  sink: Sink | undefined;
  /** The sink's transaction is open for so many milliseconds; 0 when none is. */
  openFor = (): number => 0;

  private held: Promise<void> | undefined;

  /** The answer to the call that is about to be made comes only after this. */
  holdNext(until: Promise<void>): void {
    this.held = until;
  }

  private call(name: string, given: readonly unknown[], make: () => unknown): unknown {
    const about = given[0] instanceof OutputBatch ? `${name} ${topicsOf(given[0])}` : name;
    if (!this.dead) this.onCall(about, 'before');
    if (this.dead) return never;
    const result = make();
    // A read may end as soon as a seek is done: the answer to that must not come a turn later.
    if (name === 'seek') return result;
    const { held } = this;
    this.held = undefined;
    if (held !== undefined)
      return this.living(
        held.then(() => result),
        about,
      );
    if (result instanceof Promise) return this.living(result, about);
    this.onCall(about, 'after');
    return this.dead ? never : result;
  }

  private async living<T>(answer: Promise<T>, about: string): Promise<T> {
    try {
      const value = await answer;
      if (!this.dead) this.onCall(about, 'after');
      return this.dead ? await never : value;
    } catch (error) {
      return this.dead ? await never : Promise.reject(error);
    }
  }
}

const never = new Promise<never>(() => {});

function topicsOf(outputs: OutputBatch): string {
  return [...new Set(Array.from({ length: outputs.length }, (_, i) => outputs.topicAt(i)))].join();
}

/** The process dies between its next commit and the flush that would follow. */
export function killAfterCommit(process: Process): void {
  process.mortal.alsoOnCall((call, when) => {
    if (call === 'commit' && when === 'after') process.kill();
  });
}

export const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);

/** Outputs and state are what one undisturbed run gives for `n` records of the key k; the worker is stopped. */
export async function expectCounted(bench: WorkerBench, machine: Machine, n: number): Promise<void> {
  await bench.until(() => bench.committed() !== undefined && bench.committed()! >= n && written(bench, 'out').length >= n, 10);
  expect(written(bench, 'out')).toEqual(upTo(n).map((count) => `k=${count}`));
  expect(fold(bench.broker.records(CHANGELOG, 'read_committed'))).toEqual({ k: n });
  await bench.close();
  expect(machine.contents()).toEqual({ k: n });
}

export interface Process {
  readonly worker: Worker;
  readonly mortal: Mortal;
  /** What `run` came to. */
  readonly ended: Promise<unknown>;
  /** Calls that were answered and writes to disk, in order; reads and what only looks are left out. */
  readonly diary: string[];
  stop(): Promise<void>;
  /** As `kill -9`; the group notices at once. */
  kill(): void;
}

/** Left out of diaries. */
const LOOKS = /^(read|position|cachedEnd|watermarks|describe|configs|committed|assign|unassign|pause|resume|member|reader|sink|admin|groupForOffsets)$/;

/** A computer with a disk that outlives processes. */
export class Machine {
  private readonly kept = new Map<string, TaskStorage>();
  /** Positions of the last write, by task directory. */
  readonly positions = new Map<string, readonly StoredPosition[]>();

  constructor(private readonly bench: WorkerBench) {}

  start(flow: Flow, options: Partial<WorkerOptions> = {}): Process {
    const { broker } = this.bench;
    const mortal = new Mortal();
    const diary: string[] = [];
    mortal.onCall = (call, when) => {
      if (when === 'after' && !LOOKS.test(call)) diary.push(call);
    };
    let member: GroupMember | undefined;
    const transport: Transport = over(mortal.wrap(broker), {
      member: async (given) => {
        const made = await broker.member(given);
        member = made.member;
        return { member: mortal.guard(made.member), reader: mortal.guard(made.reader) };
      },
    });
    const cache = new CacheBudget(1e6);
    const engines = new Map([['memory', this.engine(mortal, diary)]]);
    const running = this.bench.start(flow, { transport, openState: (given) => TaskState.open({ ...given, engines, serdeFor, cache }), ...options });
    const kill = (): void => {
      mortal.dead = true;
      this.bench.forget(running);
      if (member instanceof MemoryMember) broker.group('app').leave(member);
    };
    return { ...running, mortal, diary, kill };
  }

  /** What a task's store holds on disk. */
  contents(store = 'counts', directory = `state/${store}/0`): Record<string, unknown> {
    const entries: [string, unknown][] = [];
    const scan = this.kept.get(directory)?.store(store).scan({});
    for (let some = scan?.next() ?? []; !isPromise(some) && some.length > 0; some = scan?.next() ?? []) {
      for (const [key, value] of some) entries.push([String(key), JSON.parse(String(value))]);
    }
    return Object.fromEntries(entries);
  }

  directories(): string[] {
    return [...this.kept.keys()];
  }

  /** The disk is new. */
  wipe(): void {
    this.kept.clear();
    this.positions.clear();
  }

  private engine(mortal: Mortal, diary: string[]): TaskStoreEngine {
    return {
      persistent: true,
      openTask: async (options) => {
        const kept = this.kept.get(options.directory) ?? (await memoryEngine().openTask(options));
        this.kept.set(options.directory, kept);
        return {
          store: (name) => kept.store(name),
          apply: (changes, positions) => {
            if (mortal.dead) return never;
            diary.push(`apply ${changes.flatMap(({ store, writes }) => writes.map(({ name, value }) => `${store}:${name}=${value}`))}`);
            if (positions.length > 0) this.positions.set(options.directory, positions);
            return kept.apply(changes, positions);
          },
          positions: () => kept.positions(),
          clear: () => kept.clear(),
          close: () => {},
        };
      },
    };
  }
}
