import { didYouMean } from '../../core/closest.js';
import type { StoreDefinition } from '../../core/store.js';
import { parseInstant } from '../../pipeline/quantities.js';
import { QueryError } from './query-error.js';

export const DEFAULT_LIMIT = 100;
export const MOST_ENTRIES = 10_000;

/** What may stand behind the `?` for any store. */
const COMMON = ['application', 'partition', 'stale'] as const;
const SPAN = ['from', 'to', 'prefix', 'limit', 'reverse'] as const;

type OptionName = (typeof COMMON)[number] | (typeof SPAN)[number] | 'key' | 'asOf' | 'start' | 'end' | 'window';

/** The options of one query, each once. */
export class QueryOptions {
  private readonly given = new Map<string, string>();

  /** Throws a QueryError for what does not belong to a query of the kind, for text that is not percent-encoded UTF-8, and for twice the same. */
  constructor(search: string, allowed: readonly OptionName[]) {
    for (const part of search.split('&')) {
      if (part === '') continue;
      const at = part.indexOf('=');
      const name = decodedForm(at < 0 ? part : part.slice(0, at));
      if (!(allowed as readonly string[]).includes(name)) {
        throw badOption(`there is no option "${name}" here${didYouMean(name, allowed)}`, `the options are ${allowed.join(', ')}`);
      }
      if (this.given.has(name)) throw badOption(`"${name}" is given twice`);
      this.given.set(name, at < 0 ? '' : decodedForm(part.slice(at + 1)));
    }
  }

  text(name: OptionName): string | undefined {
    return this.given.get(name);
  }

  /** Present without a value means true. */
  flag(name: OptionName): boolean {
    const value = this.given.get(name);
    if (value === undefined || value === 'false') return false;
    if (value === '' || value === 'true') return true;
    throw badOption(`"${name}" must be true or false, not "${value}"`);
  }

  /** Epoch milliseconds. */
  time(name: OptionName): number | undefined {
    const value = this.given.get(name);
    if (value === undefined) return undefined;
    // The + of a zone that was not encoded.
    const time = /^\d{1,15}$/.test(value) ? Number(value) : parseInstant(value.replace(' ', '+'));
    if (time !== undefined && time >= 0) return time;
    throw badOption(`"${name}" must be a time, not "${value}"`, 'write epoch milliseconds, or ISO 8601 with a zone: 2024-01-01T00:00:00Z');
  }

  get limit(): number {
    const value = this.given.get('limit');
    if (value === undefined) return DEFAULT_LIMIT;
    const limit = Number(value);
    if (/^\d{1,9}$/.test(value) && limit >= 1 && limit <= MOST_ENTRIES) return limit;
    throw badOption(`"limit" must be a whole number from 1 to ${MOST_ENTRIES}, not "${value}"`);
  }

  /** Undefined: those that may have what is asked for. */
  partitions(count: number): readonly number[] | undefined {
    const value = this.given.get('partition');
    if (value === undefined) return undefined;
    const numbers = value.split(',').map((one) => (/^\d{1,6}$/.test(one) ? Number(one) : Number.NaN));
    if (numbers.every((number) => number < count)) return [...new Set(numbers)];
    throw badOption(`"partition" must be numbers from 0 to ${count - 1} with commas between them, not "${value}"`);
  }
}

/** The options of a query: for one key, or for a span of them. */
export function optionsOf({ type }: Pick<StoreDefinition, 'type'>, oneKey: boolean): readonly OptionName[] {
  const timed = type === 'window' || type === 'session';
  if (oneKey) {
    if (type === 'versioned') return [...COMMON, 'key', 'asOf'];
    return timed ? [...COMMON, 'key', 'start', 'end', 'limit', 'reverse', ...(type === 'window' ? (['window'] as const) : [])] : [...COMMON, 'key'];
  }
  return timed ? [...COMMON, 'from', 'to', 'start', 'end', 'limit', 'reverse'] : [...COMMON, ...SPAN];
}

/** Of every query; for what has to be known before the store is. */
export function applicationIn(search: string): string | undefined {
  return new QueryOptions(
    search
      .split('&')
      .filter((part) => part.startsWith('application='))
      .join('&'),
    ['application'],
  ).text('application');
}

export function hasKey(search: string): boolean {
  return search.split('&').some((part) => part === 'key' || part.startsWith('key='));
}

/** A piece behind the `?`, where `+` stands for a space. */
function decodedForm(text: string): string {
  return decoded(text.replaceAll('+', ' '));
}

/** A piece of a URL's path. */
export function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw new QueryError(400, 'query/encoding', `"${text}" is not percent-encoded UTF-8`, { cause, fix: 'encode names and keys: % is %25, / is %2F' });
  }
}

function badOption(message: string, fix?: string): QueryError {
  return new QueryError(400, 'query/option', message, { fix });
}
