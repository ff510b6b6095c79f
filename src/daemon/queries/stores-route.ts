import { KstreamdError, messageOf, RetriableError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import type { HttpAnswer, HttpRequest, HttpRoute } from '../../telemetry/http-route.js';
import { listAnswer, pointAnswer, spanAnswer } from './answers.js';
import { gather, gatherHere, type Passage } from './gather.js';
import type { JsonPart } from './json-part.js';
import { PEER_HEADER, type Peers } from './peers.js';
import { QueryError, unavailable } from './query-error.js';
import { findStore, partsOf, type QueriedApplication, readRequest, type StoreRequest } from './store-request.js';

export interface StoresRouteOptions {
  /** Those of this process. */
  readonly applications: () => readonly QueriedApplication[];
  readonly peers: Peers;
  readonly logger: Logger;
}

/** A query may take so long before it is given up. */
const TIMEOUT_MS = 5000;

/** `/stores` and what is below (S11): docs/queries.md describes it. */
export function storesRoute(options: StoresRouteOptions): HttpRoute {
  return async (request) => {
    const signal = AbortSignal.any([request.signal, AbortSignal.timeout(TIMEOUT_MS)]);
    try {
      return await answer(request, signal, options);
    } catch (error) {
      return refusalOf(error, signal, options.logger);
    }
  };
}

async function answer(request: HttpRequest, signal: AbortSignal, { applications, peers }: StoresRouteOptions): Promise<HttpAnswer> {
  const [store, key] = partsOf(request.path);
  if (store === undefined) return listAnswer(applications());
  const found = findStore(applications(), store, request.search);
  const { application } = found;
  const target = request.headers[PEER_HEADER];
  const kind = target !== undefined ? 'peer' : key === undefined ? 'range' : 'get';
  const started = performance.now();
  let outcome = 'failed';
  try {
    const asked = readRequest(found, key, request.search);
    const passage: Passage = { path: request.path, search: request.search, authorization: request.headers.authorization, signal };
    const told = target === undefined ? await answerClient(asked, passage, peers) : await answerPeer(asked, String(target), signal);
    outcome = told.status === 404 ? 'absent' : 'answered';
    return told;
  } catch (error) {
    if (error instanceof QueryError) outcome = error.status === 503 ? 'unavailable' : error.status < 500 ? 'refused' : 'failed';
    throw error;
  } finally {
    application.metrics.counter('queries_total', { store, kind, outcome }).add();
    application.metrics.histogram('query_duration_seconds', { kind }).observe((performance.now() - started) / 1000);
  }
}

async function answerClient(asked: StoreRequest, passage: Passage, peers: Peers): Promise<HttpAnswer> {
  const { query } = asked;
  const parts = query.key === undefined ? await gather(asked, asked.only ?? all(asked), passage, peers) : await ofKey(asked, query.key, passage, peers);
  return query.kind === 'get' ? pointAnswer(asked, parts) : spanAnswer(asked, parts);
}

/** The partition that the key's bytes choose, and where that has nothing and others may, these too. */
async function ofKey(asked: StoreRequest, key: string, passage: Passage, peers: Peers): Promise<readonly JsonPart[]> {
  const { application, definition, partitions, only } = asked;
  if (only !== undefined) return gather(asked, only, passage, peers);
  const home = application.queries.partitionOf(key, partitions);
  const parts = await gather(asked, [home], passage, peers);
  if (parts.some(({ entries }) => entries.length > 0) || partitions === 1 || application.queries.followsKeys(definition.name)) return parts;
  const others = all(asked).filter((partition) => partition !== home);
  return [...parts, ...(await gather(asked, others, passage, peers))];
}

/** Another instance asks: it wants what is here, and asks on by itself. */
async function answerPeer(asked: StoreRequest, target: string, signal: AbortSignal): Promise<HttpAnswer> {
  const { instanceId } = asked.application.queries;
  if (target !== instanceId) throw new QueryError(421, 'query/other-instance', `this is instance ${instanceId}, not ${target}`);
  return { status: 200, body: { parts: await gatherHere(asked, asked.only ?? all(asked), signal) } };
}

function all({ partitions }: StoreRequest): readonly number[] {
  return Array.from({ length: partitions }, (_, partition) => partition);
}

function refusalOf(error: unknown, signal: AbortSignal, logger: Logger): HttpAnswer {
  const told = error instanceof QueryError ? error : signal.aborted ? tooSlow() : asQueryError(error);
  if (told === undefined) throw error;
  if (told.status >= 500 && told.status !== 503) logger.warn({ err: told.message, code: told.code }, 'a query failed');
  return { status: told.status, body: told, ...(told.retryAfter !== undefined && { headers: { 'retry-after': String(told.retryAfter) } }) };
}

function tooSlow(): QueryError {
  return unavailable(`the query took longer than ${TIMEOUT_MS / 1000} s and was given up`);
}

/** What the engine says of a store; undefined for a defect. */
function asQueryError(error: unknown): QueryError | undefined {
  if (error instanceof RetriableError) return unavailable(error.message, error);
  if (error instanceof KstreamdError) return new QueryError(500, 'query/failed', messageOf(error), { cause: error, fix: error.fix });
  return undefined;
}
