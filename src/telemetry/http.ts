import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ConfigError, messageOf } from '../core/errors.js';
import { type Logger, silentLogger } from '../core/logger.js';
import { refusal } from './http-access.js';
import { formatHttpAddress, type HttpAddress } from './http-address.js';

/** Whether the daemon does its work now, and if not, each reason in a few words. */
export interface Readiness {
  readonly ready: boolean;
  readonly reasons: readonly string[];
}

export interface HttpOptions {
  readonly address: HttpAddress;
  readonly readiness: () => Readiness;
  /** What `/status` answers, as JSON. */
  readonly status: () => Promise<object>;
  readonly metrics: { expose(): Promise<string>; readonly contentType: string };
  readonly logger?: Logger;
}

export interface HttpServer {
  /** Where it really listens; the port is the one chosen when 0 was asked for. */
  readonly address: HttpAddress;
  readonly url: string;
  /** Stops listening and drops what is open. */
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

interface Route {
  readonly answer: () => Answer | Promise<Answer>;
  /** Tells more than a stranger should know. */
  readonly local?: boolean;
}

/** Nothing here needs a body, long headers or a long time. */
const LIMITS = { maxHeaderSize: 8192, headersTimeout: 5000, requestTimeout: 10_000, keepAliveTimeout: 5000, connectionsCheckingInterval: 2000 };
const MAX_CONNECTIONS = 100;

/**
 * Answers GET and HEAD of `/live` (200 while the process runs), `/ready` (200, or 503 with the reasons),
 * `/metrics`, and, for clients on this machine, `/status`; nothing else. Throws ConfigError when the address cannot be listened on.
 */
export async function startHttp(options: HttpOptions): Promise<HttpServer> {
  const { readiness, status, metrics, logger = silentLogger } = options;
  const routes = new Map<string, Route>([
    ['/live', { answer: () => json(200, { live: true }) }],
    ['/ready', { answer: () => readyAnswer(readiness()) }],
    ['/metrics', { answer: async () => ({ status: 200, type: metrics.contentType, body: await metrics.expose() }) }],
    ['/status', { answer: async () => json(200, await status(), 2), local: true }],
  ]);
  const server = createServer(LIMITS, (request, response) => {
    void answer(routes, request, logger).then((result) => send(request, response, result));
  });
  server.maxConnections = MAX_CONNECTIONS;
  await listen(server, options.address);
  server.on('error', (error) => logger.error({ error }, 'HTTP server failed'));
  const bound = server.address() as AddressInfo;
  const address = { host: bound.address, port: bound.port };
  return { address, url: `http://${formatHttpAddress(address)}`, close: () => close(server) };
}

async function answer(routes: ReadonlyMap<string, Route>, request: IncomingMessage, logger: Logger): Promise<Answer> {
  const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
  const route = routes.get(path);
  if (route === undefined) return json(404, { error: 'not found', paths: [...routes.keys()] });
  if (request.method !== 'GET' && request.method !== 'HEAD') return json(405, { error: 'only GET and HEAD are allowed' });
  const refused = route.local ? refusal(request) : undefined;
  if (refused !== undefined) return json(403, { error: refused });
  try {
    return await route.answer();
  } catch (error) {
    logger.error({ error, path }, 'HTTP request failed');
    return json(500, { error: 'internal error, see the log' });
  }
}

function readyAnswer({ ready, reasons }: Readiness): Answer {
  return json(ready ? 200 : 503, { ready, reasons });
}

function json(status: number, body: object, indent?: number): Answer {
  return { status, type: 'application/json; charset=utf-8', body: `${JSON.stringify(body, undefined, indent)}\n` };
}

function send(request: IncomingMessage, response: ServerResponse, { status, type, body }: Answer): void {
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...(status === 405 && { allow: 'GET, HEAD', connection: 'close' }),
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

function listen(server: Server, address: HttpAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(listenError(error, address)));
    server.listen({ host: address.host, port: address.port }, () => {
      server.removeAllListeners('error');
      resolve();
    });
  });
}

function listenError(error: NodeJS.ErrnoException, address: HttpAddress): Error {
  const where = formatHttpAddress(address);
  const refuse = (code: string, message: string, fix: string): ConfigError => new ConfigError(code, message, { cause: error, fix });
  switch (error.code) {
    case 'EADDRINUSE':
      return refuse('http/port-in-use', `another process listens on ${where}`, 'give another port with --http HOST:PORT; port 0 takes any free one');
    case 'EACCES':
      return refuse('http/port-forbidden', `this user may not listen on ${where}`, 'give a port from 1024 on with --http HOST:PORT');
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return refuse('http/host-unknown', `${address.host} is no address of this machine`, 'give 127.0.0.1, or 0.0.0.0 for all interfaces, with --http');
    default:
      return refuse('http/listen', `cannot listen on ${where}: ${messageOf(error)}`, 'give another address with --http, or --http off');
  }
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
