import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { ConfigError, messageOf } from '../core/errors.js';
import { type Logger, silentLogger } from '../core/logger.js';
import { andThen, isPromise, type MaybePromise } from '../core/maybe.js';
import { refusal } from './http-access.js';
import { formatHttpAddress, type HttpAddress } from './http-address.js';
import type { HttpAnswer, HttpRoute, HttpTurns } from './http-route.js';

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
  /** More paths, each with all below it, for those who may see more than `/metrics`. */
  readonly routes?: Readonly<Record<string, HttpRoute>>;
  /** When requests of these paths are answered; at once unless told. */
  readonly turns?: HttpTurns | undefined;
  /** Lets clients in that are not on this machine. */
  readonly token?: string | undefined;
  /** HTTPS: certificates and their key, PEM. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
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
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

interface Route {
  readonly answer: (request: IncomingMessage, response: ServerResponse) => MaybePromise<Answer>;
  /** Tells more than a stranger should know. */
  readonly guarded?: boolean;
  /** Paths below it are its own. */
  readonly tree?: boolean;
}

/** Nothing here needs a body, long headers or a long time. */
const LIMITS = { maxHeaderSize: 8192, headersTimeout: 5000, requestTimeout: 10_000, keepAliveTimeout: 5000, connectionsCheckingInterval: 2000 };
const MAX_CONNECTIONS = 250;

/**
 * Answers GET and HEAD of `/live` (200 while the process runs), `/ready` (200, or 503 with the reasons),
 * `/metrics`, and, for clients on this machine or with the token, `/status` and the routes given; nothing else. Throws ConfigError
 * when the address cannot be listened on or the certificates are none.
 */
export async function startHttp(options: HttpOptions): Promise<HttpServer> {
  const { readiness, status, metrics, token, turns, logger = silentLogger } = options;
  const routes = new Map<string, Route>([
    ['/live', { answer: () => json(200, { live: true }) }],
    ['/ready', { answer: () => readyAnswer(readiness()) }],
    ['/metrics', { answer: async () => ({ status: 200, type: metrics.contentType, body: await metrics.expose() }) }],
    ['/status', { answer: async () => json(200, await status(), 2), guarded: true }],
    ...Object.entries(options.routes ?? {}).map(([path, route]): [string, Route] => [path, { answer: routed(route), guarded: true, tree: true }]),
  ]);
  const server = serverFor(options.tls, (request, response) => {
    const path = pathOf(request);
    const route = routes.get(path) ?? treeOf(routes, path);
    const respond = (): void => {
      const result = route === undefined ? unknownPath(routes) : answer(route, request, response, token, logger);
      if (isPromise(result)) void result.then((told) => send(request, response, told));
      else send(request, response, result);
    };
    if (route?.tree && turns !== undefined) turns.run(respond);
    else respond();
  });
  server.maxConnections = MAX_CONNECTIONS;
  await listen(server, options.address);
  server.on('error', (error) => logger.error({ error }, 'HTTP server failed'));
  const bound = server.address() as AddressInfo;
  const address = { host: bound.address, port: bound.port };
  return { address, url: `${options.tls ? 'https' : 'http'}://${formatHttpAddress(address)}`, close: () => close(server) };
}

function serverFor(tls: HttpOptions['tls'], serve: (request: IncomingMessage, response: ServerResponse) => void): Server {
  if (tls === undefined) return createServer(LIMITS, serve);
  try {
    return createTlsServer({ ...LIMITS, ...tls }, serve);
  } catch (error) {
    throw new ConfigError('http/tls', `the certificate or its key cannot be used: ${messageOf(error)}`, {
      cause: error,
      fix: 'give PEM files: the certificate with those between it and its authority, and the key that belongs to it, without a password',
    });
  }
}

function pathOf({ url = '/' }: IncomingMessage): string {
  const at = url.indexOf('?');
  return at < 0 ? url : url.slice(0, at);
}

function unknownPath(routes: ReadonlyMap<string, Route>): Answer {
  return json(404, { error: 'not found', paths: [...routes.keys()] });
}

function answer(route: Route, request: IncomingMessage, response: ServerResponse, token: string | undefined, logger: Logger): MaybePromise<Answer> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return json(405, { error: 'only GET and HEAD are allowed' });
  if (hasBody(request)) return json(413, { error: 'no path here takes a body' });
  const refused = route.guarded ? refusal(request, token) : undefined;
  if (refused !== undefined) return json(403, { error: refused });
  const failed = (error: unknown): Answer => {
    logger.error({ error, path: pathOf(request) }, 'HTTP request failed');
    return json(500, { error: 'internal error, see the log' });
  };
  try {
    const result = route.answer(request, response);
    return isPromise(result) ? result.catch(failed) : result;
  } catch (error) {
    return failed(error);
  }
}

function treeOf(routes: ReadonlyMap<string, Route>, path: string): Route | undefined {
  const end = path.indexOf('/', 1);
  const route = routes.get(end < 0 ? path : path.slice(0, end));
  return route?.tree ? route : undefined;
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

function routed(route: HttpRoute): Route['answer'] {
  return ({ url = '', headers }, response) => {
    const at = url.indexOf('?');
    const [path, search] = at < 0 ? [url, ''] : [url.slice(0, at), url.slice(at + 1)];
    const sent = ({ status, body, headers: more }: HttpAnswer): Answer => ({ ...json(status, body), headers: more });
    return andThen(route({ path, search, headers, gone: () => response.destroyed }), sent);
  };
}

function readyAnswer({ ready, reasons }: Readiness): Answer {
  return json(ready ? 200 : 503, { ready, reasons });
}

function json(status: number, body: object, indent?: number): Answer {
  return { status, type: 'application/json; charset=utf-8', body: `${JSON.stringify(body, undefined, indent)}\n` };
}

function send(request: IncomingMessage, response: ServerResponse, { status, type, body, headers }: Answer): void {
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...headers,
    ...(status === 405 && { allow: 'GET, HEAD' }),
    ...((status === 405 || status === 413) && { connection: 'close' }),
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
