import { bytesOfLatin1, latin1Of } from '../../core/latin1.js';
import type { GlobalTableDefinition, StoreDefinition } from '../../core/store.js';
import type { GlobalTableReader } from '../globals/table-reader.js';
import { afterPrefix } from '../stores/scan-rows.js';
import { collect, type ReadingPace } from './span-reading.js';
import type { PartitionPart, SpanQuery, StoreQuery } from './store-query.js';

/** What a global table is, told as of any store. */
export function storeOfTable({ name, engine, key, value }: GlobalTableDefinition): StoreDefinition {
  return { name, type: 'key-value', engine, key, value };
}

/** A whole table, which counts as one partition. Rejects with a RetriableError while it is loading. */
export async function readGlobal(reader: GlobalTableReader, query: StoreQuery, pace: ReadingPace | undefined): Promise<PartitionPart> {
  const { positions } = reader;
  const whole = { partition: 0, positions, stale: undefined };
  if (query.kind === 'range') return { ...whole, ...(await rangeOf(reader, query, pace)) };
  const value = reader.get(bytesOfLatin1(query.key));
  return { ...whole, entries: value === null ? [] : [{ order: query.key, key: query.key, value }], next: undefined };
}

function rangeOf(reader: GlobalTableReader, query: SpanQuery, pace: ReadingPace | undefined): ReturnType<typeof collect> {
  const { prefix, from, to, reverse, limit } = query;
  const bounds = prefix === undefined ? { gte: from, lte: to } : { gte: prefix, lt: afterPrefix(prefix) };
  const bytes = Object.fromEntries(Object.entries(bounds).map(([name, bound]) => [name, bound === undefined ? undefined : bytesOfLatin1(bound)]));
  const entries = reader.range({ ...bytes, reverse, limit: limit + 1 });
  const entryOf = (key: Buffer, value: Buffer) => ({ order: latin1Of(key), key: latin1Of(key), value });
  return collect({ entries, entryOf }, query, pace);
}
