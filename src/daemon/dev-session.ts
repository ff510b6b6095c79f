import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FatalError } from '../core/errors.js';
import { fulfilledWithin } from '../core/fulfilled-within.js';
import { NO_HEADERS } from '../core/headers.js';
import type { Logger } from '../core/logger.js';
import type { MaybePromise } from '../core/maybe.js';
import { noMetrics } from '../core/metrics.js';
import { OutputBatch } from '../core/output-batch.js';
import type { Serde } from '../core/serde.js';
import type { Transport } from '../core/transport.js';
import { MockCluster } from '../kafka/mock-cluster.js';
import { compile } from '../pipeline/compile.js';
import { keyFor } from '../pipeline/entry-bytes.js';
import type { Pipeline, StoreEntries, TestRecord } from '../pipeline/model.js';
import { SerdeSet } from '../serdes/serde-set.js';
import { MemoryRegistry } from '../testing/memory-registry.js';
import { encodeSample, openForSamples } from '../testing/sample-records.js';
import type { Topology } from '../topology/topology.js';
import { type Application, makeApplication } from './application.js';

/** One record of a topic that is to be there when the pipeline starts. */
export interface Sample {
  readonly topic: string;
  readonly record: TestRecord;
}

/** What the pipeline wrote; key and value as the topic's formats read them. */
export interface DevOutput {
  readonly topic: string;
  readonly key: unknown;
  readonly value: unknown;
}

/** How long a pipeline may take to end when it is asked to. */
const STOP_WITHIN_MS = 5000;

/** What the file's `tests:` put into tables, which is sent to their topics, and everything that they send, in their order. */
export function samplesOfTests(pipeline: Pipeline): Sample[] {
  return pipeline.tests.flatMap((test) => [
    ...test.preload.flatMap((entries) => samplesOfTable(pipeline, entries)),
    ...test.send.flatMap((item) => ('records' in item ? item.records.map((record) => ({ topic: item.topic, record })) : [])),
  ]);
}

/** Nothing for a store: only its own steps write that. */
function samplesOfTable({ tables }: Pipeline, { store, entries }: StoreEntries): Sample[] {
  const table = tables.find(({ name }) => name === store);
  if (table === undefined) return [];
  const { topic, key: format } = table.input;
  return entries.map(({ value, at, partition, position, ...entry }) => ({
    topic,
    record: {
      key: keyFor(format, entry),
      value,
      ...(at !== undefined && { at }),
      ...(partition !== undefined && { partition }),
      position,
    },
  }));
}

/** A pipeline on a cluster of its own inside this process, with state that is thrown away at the end. */
export class DevSession {
  private constructor(
    private readonly cluster: MockCluster,
    private readonly application: Application,
    private readonly stateDir: string,
    private readonly running: Promise<void>,
  ) {}

  /** Fills the input topics, starts the pipeline, and tells every output as it is written. */
  static async start(pipeline: Pipeline, samples: readonly Sample[], logger: Logger, onOutput: (output: DevOutput) => void): Promise<DevSession> {
    const cluster = await MockCluster.start();
    const stateDir = await mkdtemp(join(tmpdir(), 'kstreamd-dev-'));
    try {
      // Nobody is to be warned of how this cluster, which is gone soon, cleans up the topics of tables.
      const transport = cluster.transport(new Set(pipeline.tables.map(({ input }) => input.topic)));
      // A registry of others is not to be filled with what is tried here.
      const serdes = new SerdeSet(pipeline.formats, new MemoryRegistry());
      await fill(transport, pipeline, samples, serdes);
      // The mock cluster makes no topics by request, and forgets offsets that a transaction commits.
      const application = await makeApplication(
        { ...pipeline, guarantee: 'at-least-once' },
        {
          options: { stateDir, instanceId: undefined },
          changelogs: false,
          logger,
          metrics: noMetrics,
          serdes,
          transport: tapped(transport, compile(pipeline, { serdes }), onOutput),
        },
      );
      const running = application.worker.run();
      running.catch(() => {});
      return new DevSession(cluster, application, stateDir, running);
    } catch (error) {
      await cluster.close();
      await rm(stateDir, { recursive: true, force: true });
      throw error;
    }
  }

  /** Rejects with what ended the pipeline. */
  get ended(): Promise<void> {
    return this.running;
  }

  /** Resolves when everything there is has been processed and committed. */
  caughtUp(): Promise<void> {
    return Promise.race([this.application.worker.caughtUp(), this.running]);
  }

  /**
   * Ends the pipeline and the cluster. Rejects with what ended the pipeline before, or with `shutdown/timeout` when it
   * does not end: what it waits for is left behind, and the caller must not wait for it either.
   */
  async stop(): Promise<void> {
    this.application.worker.stop();
    try {
      if (!(await fulfilledWithin(STOP_WITHIN_MS, this.running))) throw tooLate();
    } finally {
      await this.application.close();
      await this.cluster.close();
      await rm(this.stateDir, { recursive: true, force: true });
    }
  }
}

function tooLate(): FatalError {
  return new FatalError('shutdown/timeout', `the pipeline did not end within ${STOP_WITHIN_MS} ms`, {
    fix: 'look for a plugin whose promise is never resolved',
  });
}

async function fill(transport: Transport, pipeline: Pipeline, samples: readonly Sample[], serdes: SerdeSet): Promise<void> {
  await openForSamples(pipeline, new Set(samples.map((sample) => sample.topic)), serdes);
  const admin = await transport.admin();
  for (const topic of new Set(samples.map((sample) => sample.topic))) await admin.create({ name: topic, partitions: 1, config: {} });
  await admin.close();
  const sink = await transport.sink();
  const now = Date.now();
  for (const { topic, record } of samples) {
    for (const { partition, headers = NO_HEADERS, timestamp = now, ...bytes } of encodeSample(pipeline, topic, record, now, serdes)) {
      await sink.send(OutputBatch.of({ topic, partition, headers, timestamp, ...bytes }));
    }
  }
  await sink.flush();
  await sink.close();
}

/** The transport, with outputs told as they are sent; internal topics are left out. */
function tapped(transport: Transport, topology: Topology, onOutput: (output: DevOutput) => void): Transport {
  const formats = outputFormats(topology);
  return {
    member: (options) => transport.member(options),
    reader: (options) => transport.reader(options),
    admin: () => transport.admin(),
    onReachable: (listener) => transport.onReachable(listener),
    async sink(options) {
      const sink = await transport.sink(options);
      const send = (outputs: OutputBatch): MaybePromise<OutputBatch> => {
        for (let i = 0; i < outputs.length; i++) {
          const { topic, key, value } = outputs.recordAt(i);
          const format = formats.get(topic);
          if (format) onOutput({ topic, key: read(format.key, key), value: read(format.value, value) });
        }
        return sink.send(outputs);
      };
      const { maxRecordBytes, transaction } = sink;
      return { send, flush: () => sink.flush(), maxRecordBytes, transaction, close: () => sink.close() };
    },
  };
}

function outputFormats(topology: Topology): Map<string, { key: Serde<unknown>; value: Serde<unknown> }> {
  const internal = new Set(topology.repartitions.map((repartition) => repartition.topic));
  const formats = new Map<string, { key: Serde<unknown>; value: Serde<unknown> }>();
  for (const node of topology.nodes.values()) {
    if (node.kind !== 'sink') continue;
    for (const topic of 'topic' in node.to ? [node.to.topic] : node.to.topics) if (!internal.has(topic)) formats.set(topic, node);
  }
  return formats;
}

function read(serde: Serde<unknown>, bytes: Buffer | null): unknown {
  return bytes === null ? null : serde.deserialize(bytes);
}
