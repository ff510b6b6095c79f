import { join } from 'node:path';
import { type Clock, systemClock } from '../core/clock.js';
import type { Logger } from '../core/logger.js';
import type { Metrics } from '../core/metrics.js';
import type { StoreEngine } from '../core/store.js';
import type { Transport } from '../core/transport.js';
import { KafkaTransport } from '../kafka/transport.js';
import { compile } from '../pipeline/compile.js';
import type { Pipeline } from '../pipeline/model.js';
import { resolveStoreEngine } from '../pipeline/plugins.js';
import type { OpenTaskState } from '../runtime/assignment.js';
import { CacheBudget } from '../runtime/cache-budget.js';
import { TaskState } from '../runtime/task-state.js';
import { Worker } from '../runtime/worker.js';
import { serdeFor } from '../serdes/formats.js';
import { prepareTaskDirectory } from '../stores/task-directory.js';
import type { Topology } from '../topology/topology.js';
import type { DaemonOptions } from './options.js';
import { storeEngines } from './store-engines.js';

/** librdkafka's default; a member that does not poll for so long loses its partitions. */
const MAX_POLL_INTERVAL_MS = 300_000;

/** What applications of one process share. */
export interface Surroundings {
  readonly options: Pick<DaemonOptions, 'stateDir' | 'instanceId'>;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly clock?: Clock;
  /** Default: a Kafka client for the pipeline's brokers. */
  readonly transport?: Transport;
}

/** Joins a checked pipeline with the adapters it runs on. Throws ConfigError for what only shows now. */
export async function makeApplication(pipeline: Pipeline, around: Surroundings): Promise<Worker> {
  const { options, metrics, clock = systemClock } = around;
  const logger = around.logger.child({ application: pipeline.name });
  const topology = compile(pipeline);
  return new Worker({
    topology,
    transport: around.transport ?? new KafkaTransport(pipeline.kafka, logger),
    openState: await stateOpener(topology, pipeline),
    stateDir: join(options.stateDir, pipeline.name),
    instanceId: options.instanceId,
    batch: pipeline.batch,
    commitIntervalMs: pipeline.commit.intervalMs,
    onError: pipeline.onError,
    deadLetter: pipeline.deadLetter,
    slowBatchMs: Number(pipeline.kafka.client['max.poll.interval.ms'] ?? MAX_POLL_INTERVAL_MS) / 10,
    clock,
    logger,
    metrics,
  });
}

async function stateOpener(topology: Topology, pipeline: Pipeline): Promise<OpenTaskState> {
  const engines = await enginesOf(topology, pipeline);
  const cache = new CacheBudget(pipeline.cacheBytes);
  return (options) => TaskState.open({ ...options, engines, serdeFor, cache, prepareDirectory: prepareTaskDirectory });
}

/** The engines that the topology's stores name: built-in ones, and exports of plugin modules. */
async function enginesOf(topology: Topology, pipeline: Pipeline): Promise<ReadonlyMap<string, StoreEngine>> {
  const engines = new Map<string, StoreEngine>();
  for (const { engine } of topology.stores.values()) {
    if (engines.has(engine)) continue;
    engines.set(engine, storeEngines.get(engine)?.() ?? (await resolveStoreEngine(engine, pipeline.position.file)));
  }
  return engines;
}
