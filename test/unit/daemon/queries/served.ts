import { request } from 'node:http';
import { silentLogger } from '../../../../src/core/logger.js';
import type { Serde } from '../../../../src/core/serde.js';
import type { StoreDefinition } from '../../../../src/core/store.js';
import { Peers } from '../../../../src/daemon/queries/peers.js';
import { STORES_HEADERS, storesRoute } from '../../../../src/daemon/queries/stores-route.js';
import { Turns } from '../../../../src/daemon/queries/turns.js';
import { advertisedUrl } from '../../../../src/daemon/serving.js';
import type { WorkerOptions } from '../../../../src/runtime/worker-options.js';
import { serdeFor } from '../../../../src/serdes/formats.js';
import { type HttpOptions, type HttpServer, startHttp } from '../../../../src/telemetry/http.js';
import { frontHere } from '../../../../src/telemetry/http-opening.js';
import type { Flow } from '../../runtime/harness.js';
import { CountedMetrics } from '../../runtime/restore/harness.js';
import type { RunningWorker, WorkerBench } from '../../runtime/worker-bench.js';

/** A worker behind an HTTP server of its own, as a daemon has it. */
export interface Served extends RunningWorker {
  readonly server: HttpServer;
  readonly metrics: CountedMetrics;
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<Asked>;
  /** The server goes too. */
  end(): Promise<void>;
}

export interface Asked {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: any;
}

export interface ServeOptions {
  readonly id?: string;
  readonly http?: Partial<HttpOptions>;
  readonly token?: string;
  readonly worker?: Partial<WorkerOptions>;
  readonly formats?: Readonly<Record<string, Serde<any>>>;
}

export async function serve(bench: WorkerBench, flow: Flow, { id = 'a', http, token, worker = {}, formats = {} }: ServeOptions = {}): Promise<Served> {
  const metrics = new CountedMetrics();
  let server: HttpServer | undefined;
  const instance: WorkerOptions['instance'] = {
    id,
    place: `place of ${id}`,
    get address() {
      return server && advertisedUrl({ address: undefined, advertised: undefined, token, tls: undefined, ca: undefined }, server.address);
    },
  };
  let running: RunningWorker | undefined;
  const peers = new Peers({ ca: undefined, token });
  const formatOf = (name: string): Serde<unknown> | undefined => (formats[name] as Serde<unknown> | undefined) ?? serdeFor(name);
  const turns = new Turns({ busy: () => running?.worker.behind ?? false, share: 0.25 });
  server = await startHttp(
    {
      address: { host: '127.0.0.1', port: 0 },
      readiness: () => ({ ready: true, reasons: [] }),
      status: async () => ({}),
      metrics: { expose: async () => '', contentType: 'text/plain' },
      routes: {
        '/stores': storesRoute({
          applications: () => (running === undefined ? [] : [{ queries: running.worker.queries, serdeFor: formatOf, metrics }]),
          peers,
          logger: silentLogger,
          turns,
        }),
      },
      headers: STORES_HEADERS,
      turns,
      token,
      ...http,
    },
    frontHere,
  );
  const listening = server;
  running = bench.start(flow, { ...worker, instance, metrics });
  return {
    ...running,
    server,
    metrics,
    get: (path, headers) => ask(listening, path, headers),
    end: async () => {
      await listening.close();
      peers.close();
    },
  };
}

/** The path as it stands: `fetch` would tidy it. */
export function ask(
  { address: { host, port } }: HttpServer,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  method = 'GET',
  body?: string,
): Promise<Asked> {
  return new Promise((resolve, reject) => {
    const asked = request({ host, port, path, method, headers }, async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk as Buffer);
      const text = Buffer.concat(chunks).toString();
      resolve({ status: response.statusCode, headers: response.headers, body: text.startsWith('{') ? JSON.parse(text) : text });
    });
    asked.on('error', reject).end(body);
  });
}

export type Stored = Omit<StoreDefinition, 'engine' | 'value' | 'key'> & Partial<Pick<StoreDefinition, 'engine' | 'value' | 'key'>>;

/** Declares a store with its changelog. */
export function declare(flow: Flow, { name, ...more }: Stored): Flow {
  flow.builder.addStore({
    engine: 'memory',
    key: 'string',
    value: 'json',
    changelog: { topic: `app-${name}-changelog`, config: { 'cleanup.policy': 'compact' } },
    ...more,
    name,
  });
  return flow;
}
