import { didYouMean } from '../../core/closest.js';
import { latin1Of } from '../../core/latin1.js';
import type { Metrics } from '../../core/metrics.js';
import type { Serde } from '../../core/serde.js';
import type { StoreDefinition } from '../../core/store.js';
import { parseKey } from '../../runtime/queries/key-text.js';
import type { StoreQueries } from '../../runtime/queries/store-queries.js';
import type { StoreQuery } from '../../runtime/queries/store-query.js';
import { QueryError, unavailable } from './query-error.js';
import { applicationIn, decoded, hasKey, optionsOf, QueryOptions } from './query-options.js';

/** An application of this process, as queries see it. */
export interface QueriedApplication {
  readonly queries: StoreQueries;
  readonly serdeFor: (format: string) => Serde<unknown> | undefined;
  readonly metrics: Metrics;
}

/** What one URL asks for. */
export interface StoreRequest {
  readonly application: QueriedApplication;
  readonly definition: StoreDefinition;
  readonly query: StoreQuery;
  /** How many partitions the store has. */
  readonly partitions: number;
  /** Those that are named in the URL. */
  readonly only: readonly number[] | undefined;
  /** Copies and stores that are being restored will do. */
  readonly stale: boolean;
}

/** The store that is asked. */
type Found = Pick<StoreRequest, 'application' | 'definition'>;

/** Bytes of keys and values in one answer, and at the least of each partition. */
const MOST_BYTES = 4_000_000;
const LEAST_BYTES = 250_000;

/** The parts of a path behind `/stores`: none, a store, or a store and a key. Throws a QueryError for any other. */
export function partsOf(path: string): readonly string[] {
  const parts = path.split('/').slice(2);
  if (parts.length === 1 && parts[0] === '') return [];
  if (parts.length > 2) throw new QueryError(400, 'query/path', `${path} has more parts than /stores/STORE/KEY`, { fix: 'write a / inside of a key as %2F' });
  const [store, key] = parts;
  const name = store === undefined ? undefined : decoded(store);
  if (name !== undefined && !/^[A-Za-z0-9._-]{1,249}$/.test(name)) throw badName(name);
  if (name === '.' || name === '..') throw badName(name);
  return [name, key === undefined ? undefined : decoded(key)].filter((part) => part !== undefined);
}

function badName(name: string): QueryError {
  return new QueryError(400, 'query/name', `${JSON.stringify(name)} is no name of a store`, {
    fix: 'names have A-Z a-z 0-9 . _ - only; GET /stores lists them',
  });
}

/** The store that a name means, among those of all applications here. */
export function findStore(applications: readonly QueriedApplication[], store: string, search: string): Found {
  const wanted = applicationIn(search);
  const among = wanted === undefined ? applications : applications.filter(({ queries }) => queries.application === wanted);
  if (wanted !== undefined && among.length === 0) {
    const names = applications.map(({ queries }) => queries.application);
    throw new QueryError(404, 'query/unknown-application', `no application "${wanted}" runs here${didYouMean(wanted, names)}`, {
      fix: `those here are ${names.join(', ')}`,
    });
  }
  const found = among.flatMap((application) => {
    const definition = application.queries.stores.get(store);
    return definition === undefined ? [] : [{ application, definition }];
  });
  const [first] = found;
  if (first === undefined) throw unknownStore(among, store);
  if (found.length === 1) return first;
  const names = found.map(({ application }) => application.queries.application);
  throw new QueryError(400, 'query/ambiguous', `${names.join(' and ')} each have a store "${store}"`, { fix: `say which: ?application=${names[0]}` });
}

function unknownStore(among: readonly QueriedApplication[], store: string): QueryError {
  const names = among.flatMap(({ queries }) => [...queries.stores.keys()]);
  const fix = names.length === 0 ? 'the pipelines that run here have no stores' : `the stores are ${[...new Set(names)].join(', ')}`;
  return new QueryError(404, 'query/unknown-store', `there is no store "${store}"${didYouMean(store, names)}`, { fix });
}

/** `key` as it stands in the path. Throws a QueryError. */
export function readRequest({ application, definition }: Found, key: string | undefined, search: string): StoreRequest {
  if (key !== undefined && hasKey(search))
    throw new QueryError(400, 'query/option', 'the key stands in the path and behind the ? too', { fix: 'give it once' });
  const oneKey = key !== undefined || hasKey(search);
  const options = new QueryOptions(search, optionsOf(definition, oneKey));
  const partitions = application.queries.partitions(definition.name);
  if (partitions === undefined) throw unavailable(`${application.queries.application} has not joined its consumer group yet`);
  const only = options.partitions(partitions);
  const text = key ?? options.text('key');
  const query =
    text === undefined
      ? spanQuery(undefined, options, only?.length ?? partitions, { application, definition })
      : keyQuery(keyOf(text, definition, application), { application, definition }, options);
  return { application, definition, query, partitions, only, stale: options.flag('stale') };
}

function keyQuery(key: string, found: Found, options: QueryOptions): StoreQuery {
  const { type } = found.definition;
  const window = options.time('window');
  if (type === 'versioned') return { kind: 'get', key, asOf: options.time('asOf') };
  if (window !== undefined) return { kind: 'get', key, window };
  return type === 'window' || type === 'session' ? spanQuery(key, options, 1, found) : { kind: 'get', key };
}

function spanQuery(key: string | undefined, options: QueryOptions, partitions: number, { application, definition }: Found): StoreQuery {
  const bound = (name: 'from' | 'to'): string | undefined => {
    const text = options.text(name);
    return text === undefined || text === '' ? undefined : keyOf(text, definition, application);
  };
  const [from, to, prefix] = [bound('from'), bound('to'), options.text('prefix')];
  if (prefix !== undefined && (from !== undefined || to !== undefined)) {
    throw new QueryError(400, 'query/option', '"prefix" does not go with "from" and "to"', { fix: 'give one or the other' });
  }
  return {
    kind: 'range',
    key,
    from,
    to,
    prefix: prefix === undefined || prefix === '' ? undefined : prefixOf(prefix, definition, application),
    start: options.time('start'),
    end: options.time('end'),
    reverse: options.flag('reverse'),
    limit: options.limit,
    maxBytes: Math.max(LEAST_BYTES, Math.floor(MOST_BYTES / partitions)),
  };
}

function keyOf(text: string, definition: StoreDefinition, { serdeFor }: QueriedApplication): string {
  try {
    return parseKey(text, serdeFor(definition.key) as Serde<unknown>);
  } catch (error) {
    throw new QueryError(400, 'query/key', (error as Error).message, { cause: error });
  }
}

/** The first bytes of keys: text of which whole keys begin, or base64. */
function prefixOf(text: string, definition: StoreDefinition, application: QueriedApplication): string {
  if (definition.key === 'json') return latin1Of(Buffer.from(text));
  if (definition.key === 'string' || definition.key === 'bytes') return keyOf(text, definition, application);
  throw new QueryError(400, 'query/option', `"prefix" does not go with ${definition.key} keys`, { fix: 'give "from" and "to"' });
}
