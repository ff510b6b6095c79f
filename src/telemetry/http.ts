import { type Logger, silentLogger } from '../core/logger.js';
import { andThen } from '../core/maybe.js';
import { formatHttpAddress, type HttpAddress } from './http-address.js';
import { type DeskRoute, HttpDesk } from './http-desk.js';
import { FrontLink } from './http-link.js';
import type { FrontOpening } from './http-opening.js';
import type { HttpRoute, HttpTurns } from './http-route.js';

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
  /** Headers that these read, in lower case. */
  readonly headers?: readonly string[];
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

/**
 * Answers GET and HEAD of `/live` (200 while the process runs), `/ready` (200, or 503 with the reasons),
 * `/metrics`, and, for clients on this machine or with the token, `/status` and the routes given; nothing else. Requests are read where
 * `opening` says, and answered in this thread. Throws ConfigError when the address cannot be listened on or the certificates are none.
 */
export async function startHttp(options: HttpOptions, opening: FrontOpening): Promise<HttpServer> {
  const { address, headers = [], token, tls, turns, logger = silentLogger } = options;
  const routes = routesOf(options);
  const paths = Array.from(routes, ([path, { guarded = false, tree = false }]) => ({ path, guarded, tree }));
  const link = new FrontLink(opening, { address, paths, headers, token, tls }, logger);
  const desk = new HttpDesk({ routes, turns, logger, tell: (told) => link.tell(told) });
  const bound = await link.listen((asked, gone) => desk.take(asked, gone));
  return { address: bound, url: `${tls ? 'https' : 'http'}://${formatHttpAddress(bound)}`, close: () => link.close() };
}

function routesOf({ readiness, status, metrics, routes = {} }: HttpOptions): ReadonlyMap<string, DeskRoute> {
  return new Map<string, DeskRoute>([
    ['/live', { answer: () => [200, jsonText({ live: true })] }],
    ['/ready', { answer: () => readyAnswer(readiness()) }],
    ['/metrics', { answer: async () => [200, await metrics.expose(), metrics.contentType] }],
    ['/status', { answer: async () => [200, jsonText(await status(), 2)], guarded: true }],
    ...Object.entries(routes).map(([path, route]): [string, DeskRoute] => [path, { answer: routed(route), guarded: true, tree: true }]),
  ]);
}

function readyAnswer({ ready, reasons }: Readiness): ReturnType<DeskRoute['answer']> {
  return [ready ? 200 : 503, jsonText({ ready, reasons })];
}

function routed(route: HttpRoute): DeskRoute['answer'] {
  return (request) => andThen(route(request), ({ status, body, headers }) => [status, jsonText(body), undefined, headers]);
}

function jsonText(body: object, indent?: number): string {
  return `${JSON.stringify(body, undefined, indent)}\n`;
}
