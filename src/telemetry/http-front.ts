import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { MessagePort } from 'node:worker_threads';
import { refusal } from './http-access.js';
import type { Asked, FromFront, FrontPath, FrontSettings, ToFront, Told } from './http-wire.js';

/** Nothing here needs a body, long headers or a long time. */
const LIMITS = { maxHeaderSize: 8192, headersTimeout: 5000, requestTimeout: 10_000, keepAliveTimeout: 5000, connectionsCheckingInterval: 2000 };
const MAX_CONNECTIONS = 250;
const JSON_TYPE = 'application/json; charset=utf-8';

/**
 * The side of the HTTP server that clients see: it reads requests, refuses what is not allowed, hands on the others in batches, and sends
 * the answers. What it refuses needs nothing of the daemon; everything else, `/live` too, is answered by the other side of the port.
 */
export class HttpFront {
  private readonly server: Server;
  private readonly paths: ReadonlyMap<string, FrontPath>;
  /** Requests that are to be answered, by number. */
  private readonly open = new Map<number, ServerResponse>();
  private last = 0;
  private asked: Asked[] = [];
  private gone: number[] = [];

  /** Opens it; the first message tells whether it listens. */
  static open(settings: FrontSettings, port: MessagePort): void {
    const post = (message: FromFront): void => port.postMessage(message);
    let front: HttpFront;
    try {
      front = new HttpFront(settings, post);
    } catch (error) {
      post({ kind: 'not-listening', reason: 'tls', code: undefined, message: (error as Error).message });
      return;
    }
    port.on('message', (message: ToFront) => {
      if (message.kind === 'close') front.close();
      else for (const told of message.told) front.answer(told);
    });
    front.listen();
  }

  private constructor(
    private readonly settings: FrontSettings,
    private readonly post: (message: FromFront) => void,
  ) {
    const serve = (request: IncomingMessage, response: ServerResponse): void => this.serve(request, response);
    this.paths = new Map(settings.paths.map((one) => [one.path, one]));
    this.server = settings.tls === undefined ? createServer(LIMITS, serve) : createTlsServer({ ...LIMITS, ...settings.tls }, serve);
    this.server.maxConnections = MAX_CONNECTIONS;
  }

  private listen(): void {
    const { server, settings } = this;
    server.once('error', ({ code, message }: NodeJS.ErrnoException) => this.post({ kind: 'not-listening', reason: 'address', code, message }));
    server.listen(settings.address, () => {
      server.removeAllListeners('error');
      server.on('error', ({ message }) => this.post({ kind: 'trouble', message }));
      const { address: host, port } = server.address() as AddressInfo;
      this.post({ kind: 'listening', address: { host, port } });
    });
  }

  private serve(request: IncomingMessage, response: ServerResponse): void {
    const { url = '/', headers } = request;
    const at = url.indexOf('?');
    const path = at < 0 ? url : url.slice(0, at);
    const refused = this.refused(request, path);
    if (refused !== undefined) {
      send(response, refused);
      return;
    }
    const id = ++this.last;
    this.open.set(id, response);
    response.once('close', () => this.ended(id));
    this.hand(() => this.asked.push([id, path, at < 0 ? '' : url.slice(at + 1), this.handedOn(headers)]));
  }

  private refused(request: IncomingMessage, path: string): Told | undefined {
    const route = this.paths.get(path) ?? this.treeOf(path);
    if (route === undefined) return refusing(404, { error: 'not found', paths: [...this.paths.keys()] });
    if (request.method !== 'GET' && request.method !== 'HEAD') return refusing(405, { error: 'only GET and HEAD are allowed' });
    if (hasBody(request)) return refusing(413, { error: 'no path here takes a body' });
    const error = route.guarded ? refusal(request, this.settings.token) : undefined;
    return error === undefined ? undefined : refusing(403, { error });
  }

  private treeOf(path: string): FrontPath | undefined {
    const end = path.indexOf('/', 1);
    const route = this.paths.get(end < 0 ? path : path.slice(0, end));
    return route?.tree ? route : undefined;
  }

  private handedOn(headers: IncomingMessage['headers']): Record<string, string> | undefined {
    const there = this.settings.headers.filter((name) => headers[name] !== undefined);
    return there.length === 0 ? undefined : Object.fromEntries(there.map((name) => [name, String(headers[name])]));
  }

  /** What comes in between two looks of the event loop at its sockets goes out as one message. */
  private hand(add: () => void): void {
    if (this.asked.length + this.gone.length === 0) {
      setImmediate(() => {
        this.post({ kind: 'asked', asked: this.asked, gone: this.gone });
        this.asked = [];
        this.gone = [];
      });
    }
    add();
  }

  private answer(told: Told): void {
    const response = this.open.get(told[0]);
    this.open.delete(told[0]);
    if (response !== undefined) send(response, told);
  }

  private ended(id: number): void {
    if (this.open.delete(id)) this.hand(() => this.gone.push(id));
  }

  private close(): void {
    this.server.close(() => this.post({ kind: 'closed' }));
    this.server.closeAllConnections();
  }
}

function refusing(status: number, body: object): Told {
  return [0, status, `${JSON.stringify(body)}\n`];
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

function send(response: ServerResponse, [, status, body, type = JSON_TYPE, headers]: Told): void {
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...headers,
    ...(status === 405 && { allow: 'GET, HEAD' }),
    ...((status === 405 || status === 413) && { connection: 'close' }),
  });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}
