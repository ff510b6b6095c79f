import { ConfigError } from '../core/errors.js';
import type { Headers } from '../core/headers.js';
import type { Origin } from '../core/origin.js';
import type { Serde } from '../core/serde.js';
import type { StoreEngine } from '../core/store.js';
import { compile } from '../pipeline/compile.js';
import { writeKey } from '../pipeline/entry-bytes.js';
import type { EntryWindow, Pipeline, PipelineTest, StoreEntry, TestRecord } from '../pipeline/model.js';
import { resolveStoreEngine } from '../pipeline/plugins.js';
import { BUILT_IN_ENGINES } from '../pipeline/store-specs.js';
import { withMocks } from '../pipeline/test-mocks.js';
import { SerdeSet } from '../serdes/serde-set.js';
import { memoryEngine } from '../stores/memory.js';
import type { Topology } from '../topology/topology.js';
import { type BatchDependent, batchDependent } from './batch-dependent.js';
import { InputTrace, type SentRecord } from './input-trace.js';
import { TEST_START } from './manual-clock.js';
import { MemoryRegistry } from './memory-registry.js';
import { testPartitions } from './partitions.js';
import { entryOf, formatsOf } from './preload.js';
import { encodeSample, inputFormats, openForSamples } from './sample-records.js';
import { type DriverOutput, TopologyDriver } from './topology-driver.js';

/** An output as a test speaks of it. */
export interface ShownRecord {
  readonly key: unknown;
  readonly value: unknown;
  readonly raw: Buffer | null;
  readonly headers: Headers;
  readonly timestamp: number;
  readonly partition: number;
  readonly window: EntryWindow | undefined;
  /** What was sent behind it. */
  behind(): SentRecord[];
}

/** What one run of a test has shown. */
export interface Observed {
  /** What came out, by topic; internal topics, and what the test itself sent, are left out. */
  readonly outputs: ReadonlyMap<string, readonly ShownRecord[]>;
  /** What stores have where the test looks: as `entryOf` gives it. */
  readonly entries: ReadonlyMap<StoreEntry, unknown>;
  /** What stopped the run. */
  readonly error: unknown;
  readonly dependent: BatchDependent;
}

/** Bytes that their topic's format cannot read. */
export class Unreadable {
  constructor(
    readonly format: string,
    readonly bytes: Buffer,
  ) {}

  toJSON(): string {
    return `not ${this.format}: ${this.bytes.toString()}`;
  }
}

/**
 * Runs a test once on the pipeline's real topology, with a broker, stores and a clock in memory. `batchSize`: most records in a
 * batch. Rejects with a ConfigError for what the test cannot send or preload; what else stops the run is part of what it shows.
 */
export async function observe(pipeline: Pipeline, test: PipelineTest, batchSize?: number): Promise<Observed> {
  const mocked = withMocks(pipeline, test.mocks);
  const serdes = new SerdeSet(mocked.formats, new MemoryRegistry());
  const topology = compile(mocked, { serdes });
  for (const { store } of [...test.preload, ...test.expectStores]) formatsOf(store, topology, serdes);
  await openForSamples(
    mocked,
    test.send.flatMap((item) => ('records' in item ? [item.topic] : [])),
    serdes,
  );
  const run = new TestRun(mocked, test, topology, serdes);
  return run.observe(batchSize);
}

/** What one map of `send` sends to. */
interface Sending {
  readonly map: number;
  readonly tables: boolean;
  readonly others: boolean;
}

class TestRun {
  private readonly outputFormats: ReadonlyMap<string, { readonly key: Serde<unknown>; readonly value: Serde<unknown> }>;

  constructor(
    private readonly pipeline: Pipeline,
    private readonly test: PipelineTest,
    private readonly topology: Topology,
    private readonly serdes: SerdeSet,
  ) {
    const sinks = [...topology.nodes.values()].filter((node) => node.kind === 'sink');
    this.outputFormats = new Map(sinks.flatMap((sink) => ('topic' in sink.to ? [sink.to.topic] : sink.to.topics).map((topic) => [topic, sink] as const)));
  }

  async observe(batchSize: number | undefined): Promise<Observed> {
    const { pipeline, test, topology, serdes } = this;
    const { onError, deadLetter } = pipeline;
    const dependent = batchDependent(pipeline, topology);
    const nothing = { outputs: new Map(), entries: new Map(), dependent };
    let driver: TopologyDriver;
    try {
      driver = await TopologyDriver.open(topology, {
        serdes,
        onError,
        partitions: testPartitions(topology, test),
        engines: await enginesOf(topology, pipeline),
        preload: Object.fromEntries(test.preload.map(({ store, entries }) => [store, entries])),
        ...(deadLetter !== undefined && { deadLetter }),
        ...(batchSize !== undefined && { batchSize }),
      });
    } catch (error) {
      if (error instanceof ConfigError) throw error;
      return { ...nothing, error };
    }
    try {
      const trace = new InputTrace(driver, topology);
      const error = await this.sendAll(driver, trace);
      const seen = { outputs: this.outputs(driver, trace), entries: await this.entries(driver), dependent };
      const closing = await stopped(() => driver.close());
      return { ...seen, error: error ?? closing };
    } catch (error) {
      await stopped(() => driver.close());
      throw error;
    }
  }

  /** Resolves to what stopped the run. */
  private async sendAll(driver: TopologyDriver, trace: InputTrace): Promise<unknown> {
    let now = TEST_START;
    let before: Sending | undefined;
    for (const item of this.test.send) {
      if ('advanceMs' in item) {
        now += item.advanceMs;
        before = undefined;
        const error = await stopped(() => driver.advance(item.advanceMs));
        if (error !== undefined) return error;
        continue;
      }
      const next = this.sending(item.map);
      const error = before !== undefined && this.mustSettle(before, next) ? await stopped(() => driver.settle()) : undefined;
      if (error !== undefined) return error;
      before = next;
      for (const sample of item.records) now = this.send(item.topic, sample, now, driver, trace);
    }
    return stopped(() => driver.settle());
  }

  /** Returns the time of what is sent next. */
  private send(topic: string, sample: TestRecord, now: number, driver: TopologyDriver, trace: InputTrace): number {
    const records = encodeSample(this.pipeline, topic, sample, now, this.serdes);
    const places = driver.send(topic, records);
    for (const [i, { key, value, timestamp = now }] of records.entries())
      trace.note({ ...(places[i] as Origin), key, value, timestamp, position: sample.position });
    return records.reduce((latest, { timestamp = now }) => Math.max(latest, timestamp), now);
  }

  private sending(map: number): Sending {
    const topics = this.test.send.flatMap((item) => ('records' in item && item.map === map ? [item.topic] : []));
    const tables = topics.filter((topic) => this.pipeline.tables.some(({ input }) => input.topic === topic));
    return { map, tables: tables.length > 0, others: tables.length < topics.length };
  }

  /**
   * Whether one map of a list is processed before the next is sent: where one of them fills a table and the other is no part of the
   * same filling, so that a table has what stands before a record, and not what stands behind it.
   */
  private mustSettle(before: Sending, next: Sending): boolean {
    if (before.map === next.map) return false;
    return (before.tables || next.tables) && (before.others || next.others);
  }

  private outputs(driver: TopologyDriver, trace: InputTrace): Map<string, ShownRecord[]> {
    const internal = new Set(this.topology.repartitions.map(({ topic }) => topic));
    const shown = new Map<string, ShownRecord[]>();
    for (const topic of driver.outputTopics.filter((name) => !internal.has(name))) {
      const ends = new Map<number, number>();
      const written = driver.output(topic).filter(({ partition }) => {
        const offset = ends.get(partition) ?? 0;
        ends.set(partition, offset + 1);
        return !trace.isSent({ topic, partition, offset });
      });
      if (written.length > 0)
        shown.set(
          topic,
          written.map((output) => this.shown(output, trace)),
        );
    }
    return shown;
  }

  private shown(output: DriverOutput, trace: InputTrace): ShownRecord {
    const { topic, headers, timestamp, partition, origin, value } = output;
    // A dead letter has the bytes of its input.
    const formats = this.outputFormats.get(topic) ?? inputFormats(this.pipeline, origin?.topic ?? topic, this.serdes);
    const { key, window = windowOf(headers) } = split(read(formats.key, output.key), formats.key.format);
    return { key, value: read(formats.value, value), raw: value, headers, timestamp, partition, window, behind: () => trace.behind({ origin }) };
  }

  private async entries(driver: TopologyDriver): Promise<Map<StoreEntry, unknown>> {
    const found = new Map<StoreEntry, unknown>();
    for (const { store, entries } of this.test.expectStores) {
      const serde = formatsOf(store, this.topology, this.serdes).key;
      const definition = this.topology.stores.get(store) ?? { name: store, type: 'key-value' as const };
      for (const entry of entries) {
        const { data } = writeKey(entry, serde);
        const partitions = entry.partition === undefined ? [...Array(driver.partitionsOf(store)).keys()] : [entry.partition];
        let value: unknown = null;
        for (const partition of partitions) value ??= await entryOf(driver.store(store, partition), definition, data, entry);
        found.set(entry, value);
      }
    }
    return found;
  }
}

/** Built-in engines in memory; those of plugins as they are. */
async function enginesOf(topology: Topology, { position }: Pipeline): Promise<ReadonlyMap<string, StoreEngine>> {
  const names = new Set([...topology.stores.values(), ...topology.globals.values()].map(({ engine }) => engine));
  const builtIn: readonly string[] = BUILT_IN_ENGINES;
  const engines = [...names].map(async (name) => [name, builtIn.includes(name) ? memoryEngine() : await resolveStoreEngine(name, position.file)] as const);
  return new Map(await Promise.all(engines));
}

async function stopped(work: () => Promise<void>): Promise<unknown> {
  try {
    await work();
    return undefined;
  } catch (error) {
    return error;
  }
}

function read(serde: Serde<unknown>, bytes: Buffer | null): unknown {
  if (bytes === null) return null;
  try {
    return serde.deserialize(bytes);
  } catch {
    return new Unreadable(serde.format, bytes);
  }
}

/** A windowed key is its key and its window. */
function split(key: unknown, format: string): { readonly key: unknown; readonly window?: EntryWindow } {
  if (!/^(?:session-)?windowed /.test(format) || key === null || key instanceof Unreadable) return { key };
  return key as { key: unknown; window: EntryWindow };
}

function windowOf(headers: Headers): EntryWindow | undefined {
  const time = (name: string): number | undefined => {
    const text = headers.findLast(({ key }) => key === `kstreamd.window.${name}`)?.value?.toString();
    return text === undefined || !/^\d+$/.test(text) ? undefined : Number(text);
  };
  const [start, end] = [time('start'), time('end')];
  return start === undefined ? undefined : { start, ...(end !== undefined && { end }) };
}
