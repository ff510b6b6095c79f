import { KstreamdError, messageOf, RetriableError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import { andThen, isPromise, type MaybePromise } from '../../core/maybe.js';
import type { HttpAnswer, HttpRequest, HttpRoute } from '../../telemetry/http-route.js';
import { listAnswer, pointAnswer, spanAnswer } from './answers.js';
import { gather, gatherHere, type Passage } from './gather.js';
import { type JsonPart, wholePart } from './json-part.js';
import { PEER_HEADER, type Peers } from './peers.js';
import { QueryError, unavailable } from './query-error.js';
import { QueryPace } from './query-pace.js';
import { recorded } from './query-record.js';
import { findStore, partsOf, type QueriedApplication, readRequest, type StoreRequest } from './store-request.js';
import type { Turns } from './turns.js';

export interface StoresRouteOptions {
  /** Those of this process. */
  readonly applications: () => readonly QueriedApplication[];
  readonly peers: Peers;
  readonly logger: Logger;
  /** When ranges read on; queries begin when the HTTP server lets them. */
  readonly turns: Pick<Turns, 'turn'>;
}

/** Of a request, those that it reads. */
export const STORES_HEADERS = ['authorization', PEER_HEADER];

/** `/stores` and what is below (S11): docs/queries.md describes it. */
export function storesRoute(options: StoresRouteOptions): HttpRoute {
  const refused = (error: unknown): HttpAnswer => refusalOf(error, options.logger);
  return (request) => {
    try {
      const told = answer(request, new QueryPace(request, options.turns), options);
      return isPromise(told) ? told.catch(refused) : told;
    } catch (error) {
      return refused(error);
    }
  };
}

function answer(request: HttpRequest, pace: QueryPace, { applications, peers }: StoresRouteOptions): MaybePromise<HttpAnswer> {
  const [store, key] = partsOf(request.path);
  if (store === undefined) return listAnswer(applications());
  const found = findStore(applications(), store, request.search);
  const { application } = found;
  const target = request.headers[PEER_HEADER];
  const kind = target !== undefined ? 'peer' : key === undefined ? 'range' : 'get';
  return recorded(application.metrics, { store, kind }, () => {
    const asked = readRequest(found, key, request.search);
    const passage: Passage = { path: request.path, search: request.search, authorization: request.headers.authorization, pace };
    return target === undefined ? answerClient(asked, passage, peers) : answerPeer(asked, String(target), pace);
  });
}

function answerClient(asked: StoreRequest, passage: Passage, peers: Peers): MaybePromise<HttpAnswer> {
  const { query } = asked;
  const parts = query.key === undefined ? gather(asked, asked.only ?? all(asked), passage, peers) : ofKey(asked, query.key, passage, peers);
  return andThen(parts, (found) => (query.kind === 'get' ? pointAnswer(asked, found) : spanAnswer(asked, found)));
}

/** The partition that the key's bytes choose, and where that has nothing and others may, these too. */
function ofKey(asked: StoreRequest, key: string, passage: Passage, peers: Peers): MaybePromise<readonly JsonPart[]> {
  const { application, definition, partitions, only } = asked;
  if (only !== undefined) return gather(asked, only, passage, peers);
  const home = application.queries.partitionOf(key, partitions);
  return andThen(gather(asked, [home], passage, peers), (parts) => {
    if (parts.some(({ entries }) => entries.length > 0) || partitions === 1 || application.queries.followsKeys(definition.name)) return parts;
    const others = all(asked).filter((partition) => partition !== home);
    return andThen(gather(asked, others, passage, peers), (more) => [...parts, ...more]);
  });
}

/** Another instance asks: it wants what is here, and asks on by itself. */
function answerPeer(asked: StoreRequest, target: string, pace: QueryPace): MaybePromise<HttpAnswer> {
  const { instanceId } = asked.application.queries;
  if (target !== instanceId) throw new QueryError(421, 'query/other-instance', `this is instance ${instanceId}, not ${target}`);
  return andThen(gatherHere(asked, asked.only ?? all(asked), pace), (parts) => ({ status: 200, body: { parts: parts.map(wholePart) } }));
}

function all({ partitions }: StoreRequest): readonly number[] {
  return Array.from({ length: partitions }, (_, partition) => partition);
}

function refusalOf(error: unknown, logger: Logger): HttpAnswer {
  const told = error instanceof QueryError ? error : asQueryError(error);
  if (told === undefined) throw error;
  if (told.status >= 500 && told.status !== 503) logger.warn({ err: told.message, code: told.code }, 'a query failed');
  return { status: told.status, body: told, ...(told.retryAfter !== undefined && { headers: { 'retry-after': String(told.retryAfter) } }) };
}

/** What the engine says of a store; undefined for a defect. */
function asQueryError(error: unknown): QueryError | undefined {
  if (error instanceof RetriableError) return unavailable(error.message, error);
  if (error instanceof KstreamdError) return new QueryError(500, 'query/failed', messageOf(error), { cause: error, fix: error.fix });
  return undefined;
}
