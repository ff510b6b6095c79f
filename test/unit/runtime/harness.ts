import type { MaybePromise } from '../../../src/core/maybe.js';
import type { ErrorPolicy } from '../../../src/core/policy.js';
import type { Processor, ProcessorContext } from '../../../src/core/processor.js';
import type { StreamRecord } from '../../../src/core/record.js';
import type { KeyValueStore } from '../../../src/core/store.js';
import { jsonSerde } from '../../../src/serdes/json.js';
import { stringSerde } from '../../../src/serdes/string.js';
import { type DriverOptions, type DriverOutput, type DriverRecord, TopologyDriver } from '../../../src/testing/topology-driver.js';
import { TopologyBuilder } from '../../../src/topology/builder.js';
import type { ProcessorNode, SinkNode, SourceNode } from '../../../src/topology/nodes.js';
import type { Topology } from '../../../src/topology/topology.js';

type StepOptions = Partial<Omit<ProcessorNode, 'kind' | 'name' | 'create' | 'stores'>> & { readonly stores?: readonly string[]; readonly engine?: string };

/** A topology in few words: string keys, json values, stores declared by the step that names them first. */
export class Flow {
  readonly builder: TopologyBuilder;
  private readonly stores = new Set<string>();

  constructor(name = 'app') {
    this.builder = new TopologyBuilder(name);
  }

  /** Reads the topic of its own name unless told otherwise. */
  source(name: string, options: Partial<Omit<SourceNode, 'kind' | 'name'>> = {}): this {
    this.builder.addSource({ name, topics: [name], key: stringSerde, value: jsonSerde, ...options });
    return this;
  }

  step(
    name: string,
    parents: readonly string[],
    create: () => Processor<any, any, any, any>,
    { stores = [], engine = 'memory', ...options }: StepOptions = {},
  ): this {
    for (const store of stores) {
      if (this.stores.has(store)) continue;
      this.stores.add(store);
      this.builder.addStore({ name: store, type: 'key-value', engine, key: 'string', value: 'json' });
    }
    this.builder.addProcessor({ name, create, ...options, stores: Object.fromEntries(stores.map((store) => [store, store])) }, parents);
    return this;
  }

  /** Writes to the topic of its own name unless told otherwise. */
  sink(name: string, parents: readonly string[], options: Partial<Omit<SinkNode, 'kind' | 'name'>> = {}): this {
    this.builder.addSink({ name, to: { topic: name }, key: stringSerde, value: jsonSerde, ...options }, parents);
    return this;
  }

  build(): Topology {
    return this.builder.build();
  }

  open(options: DriverOptions = {}): Promise<TopologyDriver> {
    return TopologyDriver.open(this.build(), options);
  }
}

/** What a step is given beside its records. */
export type Context = ProcessorContext<any, any>;

/** A step with `process` only. */
export function each(
  process: (record: StreamRecord<any, any>, context: Context) => MaybePromise<void>,
  init: (context: Context) => MaybePromise<void> = () => {},
): () => Processor<any, any, any, any> {
  return () => {
    let context: Context;
    return {
      init(given) {
        context = given;
        return init(given);
      },
      process: (record) => process(record, context),
    };
  };
}

/** A step with `processBatch` only. */
export function whole(
  processBatch: (records: readonly StreamRecord<any, any>[], context: Context) => MaybePromise<void>,
  init: (context: Context) => MaybePromise<void> = () => {},
): () => Processor<any, any, any, any> {
  return () => {
    let context: Context;
    return {
      init(given) {
        context = given;
        return init(given);
      },
      processBatch: ({ records }) => processBatch(records, context),
    };
  };
}

/** Hands on what it gets. */
export const pass = each((record, context) => context.forward(record));

/** Replaces each value. */
export const mapped = (change: (value: any) => unknown): (() => Processor) =>
  each((record, context) => context.forward(record.withValue(change(record.value))));

/** Counts per key, record by record, in a store of this name. */
export function counting(store: string): () => Processor {
  return each((record, context) => {
    const counts: KeyValueStore<string, number> = context.store(store);
    const count = (counts.get(record.key) ?? 0) + 1;
    counts.put(record.key, count);
    context.forward(record.withValue(count));
  });
}

/** A record to send; strings are written as they stand, anything else as JSON. */
export function sent(key: string | null, value: unknown, timestamp = 0, options: Partial<DriverRecord> = {}): DriverRecord {
  return { key: key === null ? null : Buffer.from(key), value: value === null ? null : raw(value), timestamp, ...options };
}

function raw(value: unknown): Buffer {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
}

/** Records of one key whose values are 1, 2, 3 … and whose timestamps are given. */
export function at(...timestamps: readonly number[]): DriverRecord[] {
  return timestamps.map((timestamp, i) => sent('k', i + 1, timestamp));
}

export function valuesOf(outputs: readonly Pick<DriverOutput, 'value'>[]): unknown[] {
  return outputs.map(({ value }) => (value === null ? null : JSON.parse(String(value))));
}

/** `key=value` of each output. */
export function pairs(outputs: readonly Pick<DriverOutput, 'key' | 'value'>[]): string[] {
  return outputs.map(({ key, value }) => `${key}=${value}`);
}

/** Sends records to `in`, settles, and gives what came out of `out`. */
export async function through(flow: Flow, records: readonly DriverRecord[], options: DriverOptions = {}): Promise<unknown[]> {
  const driver = await flow.open(options);
  driver.send('in', records);
  await driver.settle();
  const values = valuesOf(driver.output('out'));
  await driver.close();
  return values;
}

export function onError(final: ErrorPolicy['final'], retries = 0, backoff = { from: 0, to: 0 }): ErrorPolicy {
  return { retries, backoff, final };
}

/** A promise that is kept by hand. */
export class Gate {
  open!: () => void;
  readonly opened: Promise<void>;

  constructor() {
    this.opened = new Promise((resolve) => {
      this.open = resolve;
    });
  }
}

export async function entriesOf<K, V>(store: KeyValueStore<K, V>): Promise<[K, V][]> {
  const entries: [K, V][] = [];
  for await (const entry of store.all()) entries.push(entry);
  return entries;
}
