import { FatalError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import type { Pipeline } from '../pipeline/model.js';
import type { Worker } from '../runtime/worker.js';
import { described } from '../stores/open-verified.js';
import { Scrubber } from '../stores/scrubber.js';
import { type HttpServer, type Readiness, startHttp } from '../telemetry/http.js';
import { frontInThread } from '../telemetry/http-opening.js';
import { PrometheusMetrics } from '../telemetry/metrics.js';
import { type Application, makeApplication } from './application.js';
import type { DaemonOptions } from './options.js';
import { Peers } from './queries/peers.js';
import { STORES_HEADERS, storesRoute } from './queries/stores-route.js';
import { Turns } from './queries/turns.js';
import { advertisedUrl, servingOf } from './serving.js';
import { kstreamdVersion } from './version.js';

/** Of the main thread, while records wait to be processed. With half of it, processing falls a fifth behind and more where cores are short. */
const QUERIES_SHARE = 0.4;
/** Kept of the time of a shutdown, to end what a last snapshot leaves unfinished. */
const CLOSING_MS = 1_000;

/**
 * Runs applications until `stop` aborts or one of them fails, which stops the others. Resolves when all are
 * drained, committed and closed; rejects with the first failure, or when the shutdown takes too long.
 */
export async function runDaemon(pipelines: readonly Pipeline[], options: DaemonOptions, logger: Logger, stop: AbortSignal): Promise<void> {
  const metrics = new PrometheusMetrics({ version: kstreamdVersion }, logger);
  const applications = new Map<string, Application>();
  const scrubber = new Scrubber({
    logger,
    // The applications' directories are apart: only one of them knows this one.
    onFindings: (directory, findings) => {
      for (const { worker } of applications.values()) worker.damaged(directory, described(findings));
    },
  });
  const serving = servingOf(options, pipelines);
  const peers = new Peers(serving);
  let server: HttpServer | undefined;
  const url = (): string | undefined => server && advertisedUrl(serving, server.address);
  let stoppedAt = performance.now();
  const stopped = (): void => {
    stoppedAt = performance.now();
  };
  stop.addEventListener('abort', stopped, { once: true });
  try {
    for (const pipeline of pipelines)
      applications.set(pipeline.name, await makeApplication(pipeline, { options, logger, scrubber, url, metrics: metrics.ofApplication(pipeline.name) }));
    const readiness = (): Readiness => readinessOf(applications);
    metrics.onScrape(() => metrics.gauge('ready').set(readiness().ready ? 1 : 0));
    if (serving.address) {
      const running = (): Application[] => [...applications.values()];
      const turns = new Turns({ busy: () => running().some(({ worker }) => worker.behind), share: QUERIES_SHARE });
      const stores = storesRoute({ applications: () => running().map(({ queried }) => queried), peers, logger, turns });
      const { address, token, tls } = serving;
      const routes = { '/stores': stores };
      const status = (): Promise<object> => statusOf(applications);
      const http = { address, token, tls, readiness, status, metrics, routes, headers: STORES_HEADERS, turns, logger };
      server = await startHttp(http, frontInThread);
      logger.info({ url: server.url, advertised: url() }, 'answering /live, /ready, /metrics, /status and /stores');
    }
    logger.info({ version: kstreamdVersion, applications: [...applications.keys()], stateDir: options.stateDir }, 'started');
    await runAll(
      Array.from(applications.values(), ({ worker }) => worker),
      options,
      logger,
      stop,
    );
    // What is left of the time of a shutdown is for last snapshots.
    const left = options.shutdownTimeoutMs - (performance.now() - stoppedAt) - CLOSING_MS;
    await Promise.all(Array.from(applications.values(), (application) => application.storeLast(left)));
    logger.info({}, 'stopped');
  } finally {
    await scrubber.close();
    for (const application of applications.values()) await application.close();
    await server?.close();
    peers.close();
    metrics.close();
  }
}

async function runAll(workers: readonly Worker[], options: DaemonOptions, logger: Logger, stop: AbortSignal): Promise<void> {
  const stopAll = (): void => {
    for (const worker of workers) worker.stop();
  };
  const deadline = new ShutdownDeadline(options.shutdownTimeoutMs);
  const begin = (): void => {
    logger.info({ timeoutMs: options.shutdownTimeoutMs }, 'shutting down: draining and committing');
    deadline.begin();
    stopAll();
  };
  stop.addEventListener('abort', begin, { once: true });
  if (stop.aborted) begin();
  const running = workers.map((worker) =>
    worker.run().catch((error: unknown) => {
      deadline.begin();
      stopAll();
      throw error;
    }),
  );
  try {
    await Promise.race([firstFailureOrAll(running), deadline.passed]);
  } finally {
    stop.removeEventListener('abort', begin);
    deadline.clear();
  }
}

/** Waits for all to end, then rejects with the first that failed. */
async function firstFailureOrAll(running: readonly Promise<void>[]): Promise<void> {
  let first: { error: unknown } | undefined;
  await Promise.all(
    running.map((one) =>
      one.catch((error: unknown) => {
        first ??= { error };
      }),
    ),
  );
  if (first) throw first.error;
}

async function statusOf(applications: ReadonlyMap<string, Application>): Promise<object> {
  const { ready } = readinessOf(applications);
  return { version: kstreamdVersion, ready, applications: await Promise.all(Array.from(applications.values(), (application) => application.status())) };
}

function readinessOf(applications: ReadonlyMap<string, Application>): Readiness {
  const several = applications.size > 1;
  const reasons = [...applications].flatMap(([name, { worker }]) => worker.unready.map((reason) => (several ? `${name}: ${reason}` : reason)));
  return { ready: reasons.length === 0, reasons };
}

class ShutdownDeadline {
  readonly passed: Promise<never>;
  private reject: (error: Error) => void = () => {};
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly ms: number) {
    this.passed = new Promise<never>((_, reject) => {
      this.reject = reject;
    });
    this.passed.catch(() => {});
  }

  begin(): void {
    this.timer ??= setTimeout(() => {
      this.reject(
        new FatalError('shutdown/timeout', `the shutdown did not finish within ${this.ms} ms`, {
          fix: 'records since the last commit will be processed again; give more time with --shutdown-timeout',
        }),
      );
    }, this.ms);
  }

  clear(): void {
    clearTimeout(this.timer);
  }
}
