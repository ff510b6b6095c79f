import { messageOf } from '../../core/errors.js';
import { andThen, type MaybePromise } from '../../core/maybe.js';
import type { Serde } from '../../core/serde.js';
import type { PartitionOffset } from '../../core/transport.js';
import { jsonOf, keyJson } from '../../runtime/queries/key-text.js';
import type { FoundEntry, PartitionPart, Staleness } from '../../runtime/queries/store-query.js';
import { QueryError, unavailable } from './query-error.js';
import type { StoreRequest } from './store-request.js';

/** An entry as answers show it; times are epoch milliseconds. */
export interface ShownEntry {
  readonly key: unknown;
  readonly start?: number;
  readonly end?: number;
  readonly value: unknown;
  readonly timestamp?: number;
  readonly validTo?: number | null;
}

export interface PartEntry {
  readonly order: string;
  /** Throws a QueryError where it is not in its formats. */
  readonly shown: ShownEntry;
}

/** One partition's part of an answer, as instances hand it to each other. */
export interface JsonPart {
  readonly partition: number;
  /** `order` tells their place among those of all partitions; of a store that is not of windows or sessions it is the key's bytes. */
  readonly entries: readonly PartEntry[];
  /** The place of the first entry that was left out. */
  readonly next?: string;
  readonly positions: readonly PartitionOffset[];
  readonly stale?: Staleness;
}

/** An entry of this instance, put into JSON when it is looked at: what several partitions have of a range is mostly left out. */
class EntryHere implements PartEntry {
  constructor(
    private readonly entry: FoundEntry,
    private readonly keys: Serde<unknown>,
    private readonly values: Serde<unknown>,
    private readonly store: string,
  ) {}

  get order(): string {
    return this.entry.order;
  }

  get shown(): ShownEntry {
    return shown(this.entry, this.keys, this.values, this.store);
  }
}

/** Of what was read here. Rejects with a QueryError where what its formats need cannot be had now. */
export function jsonPart(part: PartitionPart, { application, definition }: Pick<StoreRequest, 'application' | 'definition'>): MaybePromise<JsonPart> {
  const key = application.serdeFor(definition.key) as Serde<unknown>;
  const value = application.serdeFor(definition.value) as Serde<unknown>;
  const { partition, positions, stale, next } = part;
  return andThen(prepared(part.entries, value, definition.name), () => ({
    partition,
    positions,
    entries: part.entries.map((entry) => new EntryHere(entry, key, value, definition.name)),
    ...(next !== undefined && { next }),
    ...(stale && { stale }),
  }));
}

/** As it is sent. Throws a QueryError where an entry is not in its formats. */
export function wholePart(part: JsonPart): JsonPart {
  return { ...part, entries: part.entries.map(({ order, shown }) => ({ order, shown })) };
}

/** What has to be fetched before the values can be read, such as schemas. */
function prepared(entries: readonly FoundEntry[], serde: Serde<unknown>, store: string): MaybePromise<void> {
  if (serde.prepare !== undefined) return preparedAll(entries, serde, store);
}

async function preparedAll(entries: readonly FoundEntry[], serde: Serde<unknown>, store: string): Promise<void> {
  const needs = entries.map(({ value }) => (typeof value === 'number' ? undefined : serde.prepare?.(value, 0, value.length)));
  try {
    await Promise.all(needs);
  } catch (error) {
    throw unavailable(`values of store "${store}" cannot be read now: ${messageOf(error)}`, error);
  }
}

function shown(entry: FoundEntry, keys: Serde<unknown>, values: Serde<unknown>, store: string): ShownEntry {
  const { start, end, timestamp, validTo } = entry;
  try {
    return {
      key: keyJson(entry.key, keys),
      ...(start !== undefined && { start, end: end as number }),
      value: typeof entry.value === 'number' ? jsonOf(entry.value) : valueJson(entry.value, values),
      ...(timestamp !== undefined && { timestamp }),
      ...(validTo !== undefined && { validTo }),
    };
  } catch (error) {
    throw new QueryError(500, 'query/unreadable', `store "${store}" holds an entry that is not in its formats: ${messageOf(error)}`, {
      cause: error,
      fix: 'declare the formats that the store was written with',
    });
  }
}

/** JSON was parsed from text, so it needs no more than that. */
function valueJson(bytes: Buffer, serde: Serde<unknown>): unknown {
  const value = serde.deserialize(bytes);
  return serde.format === 'json' ? value : jsonOf(value);
}
