import type { Serde } from '../../core/serde.js';
import type { PartitionOffset } from '../../core/transport.js';
import { keyJson, keyText } from '../../runtime/queries/key-text.js';
import type { StorePlace } from '../../runtime/queries/store-queries.js';
import type { HttpAnswer } from '../../telemetry/http-route.js';
import type { JsonPart } from './json-part.js';
import { mergeParts } from './merged-parts.js';
import type { QueriedApplication, StoreRequest } from './store-request.js';

/** What `GET /stores` says of each store. */
export interface ListedStore extends StorePlace {
  readonly application: string;
  readonly name: string;
  readonly type: string;
  readonly key: string;
  readonly value: string;
  /** Of tables: every instance has all of it. */
  readonly global?: boolean;
  /** Undefined until the application has joined its group. */
  readonly partitions: number | undefined;
  readonly ttlMs?: number | undefined;
  readonly historyMs?: number | undefined;
  readonly retentionMs?: number | undefined;
  readonly windowSizeMs?: number | undefined;
}

export function listAnswer(applications: readonly QueriedApplication[]): HttpAnswer {
  const stores = applications.flatMap(({ queries }) =>
    [...queries.stores.values()].map(({ name, type, key, value, ttlMs, historyMs, retentionMs, windowSizeMs }): ListedStore => {
      const about = { application: queries.application, name, type, key, value, ttlMs, historyMs, retentionMs, windowSizeMs };
      return { ...about, ...(queries.isGlobal(name) && { global: true }), partitions: queries.partitions(name), ...queries.place(name) };
    }),
  );
  return { status: 200, body: { stores } };
}

/** Of one key: 200 with what it has, or 404. `parts` are those that may have it. */
export function pointAnswer({ application, definition, query }: StoreRequest, parts: readonly JsonPart[]): HttpAnswer {
  const { name: store } = definition;
  const about = { application: application.queries.application, store };
  const holder = parts.find(({ entries }) => entries.length > 0);
  const entry = holder?.entries[0];
  if (holder !== undefined && entry !== undefined) {
    return { status: 200, body: { ...about, ...entry.shown, partition: holder.partition, ...readAt([holder]) } };
  }
  const key = query.key === undefined ? undefined : keyJson(query.key, keysOf(application, definition));
  const error = `store "${store}" has nothing under this key`;
  return { status: 404, body: { error, code: 'query/absent', ...about, key, ...readAt(parts) } };
}

/** Of a span. */
export function spanAnswer({ application, definition, query }: StoreRequest, parts: readonly JsonPart[]): HttpAnswer {
  const { limit, reverse } = query as Extract<typeof query, { kind: 'range' }>;
  const { entries, next } = mergeParts(parts, limit, reverse);
  const timed = definition.type === 'window' || definition.type === 'session';
  const rest = next === undefined ? { more: false } : { more: true, ...(!timed && { next: keyText(next, keysOf(application, definition)) }) };
  return { status: 200, body: { application: application.queries.application, store: definition.name, entries, ...rest, ...readAt(parts) } };
}

function keysOf({ serdeFor }: QueriedApplication, { key }: StoreRequest['definition']): Serde<unknown> {
  return serdeFor(key) as Serde<unknown>;
}

/** As of where the answer was read, and whether that may be behind. */
function readAt(parts: readonly JsonPart[]): { positions: readonly PartitionOffset[]; stale: boolean; staleBecause?: string } {
  const positions = [...parts].sort((a, b) => a.partition - b.partition).flatMap((part) => part.positions);
  const reasons = [...new Set(parts.flatMap(({ stale }) => stale ?? []))];
  return { positions, stale: reasons.length > 0, ...(reasons.length > 0 && { staleBecause: reasons.join(', ') }) };
}
