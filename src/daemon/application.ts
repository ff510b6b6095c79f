import { type Clock, systemClock } from '../core/clock.js';
import type { Logger } from '../core/logger.js';
import type { Metrics } from '../core/metrics.js';
import type { StoreEngine } from '../core/store.js';
import type { Transport } from '../core/transport.js';
import { KafkaTransport } from '../kafka/transport.js';
import { compile } from '../pipeline/compile.js';
import type { Pipeline } from '../pipeline/model.js';
import { resolveStoreEngine } from '../pipeline/plugins.js';
import { HttpSchemaRegistry } from '../registry/http-registry.js';
import { CacheBudget } from '../runtime/cache-budget.js';
import { TaskState } from '../runtime/task-state.js';
import { Worker } from '../runtime/worker.js';
import type { WorkerOptions } from '../runtime/worker-options.js';
import { SerdeSet } from '../serdes/serde-set.js';
import { directoryIdentity } from '../stores/directory-identity.js';
import { described, openVerified, type VerifyOnOpen } from '../stores/open-verified.js';
import { openStateDirectory } from '../stores/state-directory.js';
import { RecentErrors } from '../telemetry/recent-errors.js';
import type { Topology } from '../topology/topology.js';
import { openSerdes } from './open-serdes.js';
import { openSnapshots } from './open-snapshots.js';
import type { DaemonOptions } from './options.js';
import type { QueriedApplication } from './queries/store-request.js';
import { type ApplicationStatus, applicationStatus } from './status.js';
import { storeEngines } from './store-engines.js';

/** librdkafka's default; a member that does not poll for so long loses its partitions. */
const MAX_POLL_INTERVAL_MS = 300_000;

/** What applications of one process share. */
export interface Surroundings {
  readonly options: Pick<DaemonOptions, 'stateDir' | 'instanceId' | 'snapshots'>;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly clock?: Clock;
  /** Checks state while it is in use (E4); what it finds is to be told to `Application.worker.damaged`. */
  readonly scrubber?: VerifyOnOpen['scrubber'];
  /** Default: a Kafka client for the pipeline's brokers. */
  readonly transport?: Transport;
  /** Default: of the pipeline's formats, with the registry it names. */
  readonly serdes?: SerdeSet;
  /** The URL at which other instances ask about its stores (S11), once there is one. */
  readonly url?: () => string | undefined;
  /** false: stores have no changelogs, for a cluster that cannot make topics. */
  readonly changelogs?: boolean;
}

/** A worker with what belongs to it in this process. */
export interface Application {
  readonly worker: Worker;
  readonly queried: QueriedApplication;
  status(): Promise<ApplicationStatus>;
  /** After a stop in order: stores the last snapshots within so many milliseconds, or gives up. Does not reject. */
  storeLast(withinMs: number): Promise<void>;
  /** Gives up the application's place in the state directory; to be called when the worker has ended. */
  close(): Promise<void>;
}

/** Joins a checked pipeline with the adapters it runs on. Throws ConfigError or StoreError for what only shows now. */
export async function makeApplication(pipeline: Pipeline, around: Surroundings): Promise<Application> {
  const { options, metrics, scrubber, clock = systemClock } = around;
  const errors = new RecentErrors(clock);
  const logger = errors.tap(around.logger.child({ application: pipeline.name }));
  const serdes = around.serdes ?? new SerdeSet(pipeline.formats, pipeline.kafka.registry && new HttpSchemaRegistry(pipeline.kafka.registry));
  const topology = compile(pipeline, { changelogs: around.changelogs ?? true, serdes });
  await openSerdes(serdes, logger);
  const engines = await enginesOf(topology, pipeline);
  const transport = around.transport ?? kafka(pipeline, logger, metrics);
  const place = await openStateDirectory({ stateDir: options.stateDir, application: pipeline.name, instanceId: options.instanceId });
  const cache = new CacheBudget(pipeline.cacheBytes);
  const hold: VerifyOnOpen = {
    instanceId: place.instanceId,
    logger,
    clock,
    scrubber,
    onFindings: (directory, findings) => worker.damaged(directory, described(findings)),
    onSetAside: () => metrics.counter('state_set_aside_total').add(),
  };
  const identity = { id: place.instanceId, place: await directoryIdentity(place.directory) };
  const instance: WorkerOptions['instance'] = {
    ...identity,
    get address() {
      return around.url?.();
    },
  };
  const damaged = (directory: string, problem: string): void => worker.damaged(directory, problem);
  const snapshots = await openSnapshots(place, options.snapshots, { damaged, clock, logger, metrics });
  const worker: Worker = new Worker({
    topology,
    transport,
    openState: (asked) =>
      TaskState.open({ ...asked, engines, serdeFor: (format) => serdes.get(format), cache, holdDirectory: (task) => openVerified(task, hold) }),
    serdeFor: (format) => serdes.get(format),
    snapshots,
    stateDir: place.directory,
    instanceId: options.instanceId,
    instance,
    transactions: transactionsOf(pipeline, place.instanceId),
    batch: pipeline.batch,
    commit: pipeline.commit,
    onError: pipeline.onError,
    deadLetter: pipeline.deadLetter,
    slowBatchMs: Number(pipeline.kafka.client['max.poll.interval.ms'] ?? MAX_POLL_INTERVAL_MS) / 10,
    clock,
    logger,
    metrics,
  });
  const status = async (): Promise<ApplicationStatus> =>
    applicationStatus({
      name: pipeline.name,
      guarantee: pipeline.guarantee,
      transport: transport instanceof KafkaTransport ? transport.path : undefined,
      unready: worker.unready,
      stateDirectory: place.directory,
      instanceId: place.instanceId,
      work: await worker.status(),
      errors: errors.list(),
    });
  const queried: QueriedApplication = { queries: worker.queries, serdeFor: (format) => serdes.get(format), metrics };
  const storeLast = async (withinMs: number): Promise<void> => snapshots?.close(withinMs);
  const close = async (): Promise<void> => {
    await storeLast(0);
    await place.close();
  };
  return { worker, queried, status, storeLast, close };
}

function kafka(pipeline: Pipeline, logger: Logger, metrics: Metrics): KafkaTransport {
  const transport = new KafkaTransport(pipeline.kafka, logger);
  metrics.gauge('transport_info', { path: transport.path }).set(1);
  return transport;
}

/** C3: one producer a process, under an id that a restart has again. */
function transactionsOf({ guarantee, name, kafka }: Pipeline, instanceId: string): WorkerOptions['transactions'] {
  return guarantee === 'exactly-once' ? { id: `${name}-${instanceId}-0`, timeoutMs: kafka.transactionTimeoutMs } : undefined;
}

/** The engines that the topology's stores name: built-in ones, and exports of plugin modules. */
async function enginesOf(topology: Topology, pipeline: Pipeline): Promise<ReadonlyMap<string, StoreEngine>> {
  const engines = new Map<string, StoreEngine>();
  for (const { engine } of [...topology.stores.values(), ...topology.globals.values()]) {
    if (engines.has(engine)) continue;
    engines.set(engine, storeEngines.get(engine)?.() ?? (await resolveStoreEngine(engine, pipeline.position.file)));
  }
  return engines;
}
