import { setImmediate as nextTurn } from 'node:timers/promises';
import type { StoreIterator } from '../../core/store.js';
import { StoreScan } from '../store-scan.js';
import type { FoundEntry, SpanQuery } from './store-query.js';

/** What a task's store gives; keys and values as `CommittedViews` has them. */
export interface Found {
  readonly entries: readonly FoundEntry[];
  /** The place of the first one that was not taken; undefined where there are no more. */
  readonly next: string | undefined;
}

/** How a range that is long is read. */
export interface ReadingPace {
  /** Throws when the reading is to end. */
  check(): void;
  /** Resolves when the next portion may be taken. */
  turn(): Promise<void>;
}

/** The entries of a span as the store gives them, and how each is told; undefined leaves it out. */
export interface Span {
  readonly entries: StoreIterator<unknown, unknown>;
  readonly entryOf: (key: never, value: never) => FoundEntry | undefined;
}

/** Entries are taken in portions, so that processing waits for none of them long. */
const PORTION = 256;

/** What a query takes of a span, read bit by bit; a snapshot of the moment the span was made in. To be closed. */
export class SpanReading {
  /** Where more follows, the last one is not taken: it tells where that begins. */
  private readonly read: FoundEntry[] = [];
  private bytes = 0;
  private state: 'reading' | 'full' | 'ended' = 'reading';

  constructor(
    private readonly span: Span,
    private readonly query: Pick<SpanQuery, 'limit' | 'maxBytes' | 'reverse'>,
    private readonly pace: ReadingPace | undefined,
  ) {}

  /** How many entries were read. */
  get length(): number {
    return this.read.length;
  }

  get found(): Found {
    const last = this.read.at(-1);
    if (this.state === 'ended' || last === undefined) return { entries: this.read, next: undefined };
    return { entries: this.read.slice(0, -1), next: last.order };
  }

  /** Where reading on begins; undefined where nothing follows that the query could take. */
  get edge(): string | undefined {
    return this.state === 'reading' ? this.read.at(-1)?.order : undefined;
  }

  /** How many of the entries that were read stand before a place. */
  before(order: string): number {
    const { reverse } = this.query;
    let [low, high] = [0, this.read.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const one = (this.read[middle] as FoundEntry).order;
      if (reverse ? one > order : one < order) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Reads so many more entries, as far as there are more and the query takes them. */
  async readOn(more: number): Promise<void> {
    const { entries, entryOf } = this.span;
    const { limit, maxBytes } = this.query;
    const scan = entries instanceof StoreScan ? entries : undefined;
    const until = Math.min(this.read.length + more, limit + 1);
    if (scan !== undefined) scan.portion = until - this.read.length;
    while (this.state === 'reading' && this.read.length < until) {
      const next = scan?.nextLoaded() ?? (await valueIn(entries.next()));
      if (next === undefined) {
        this.state = 'ended';
        return;
      }
      this.pace?.check();
      const entry = entryOf(next[0] as never, next[1] as never);
      if (entry === undefined) continue;
      this.read.push(entry);
      if (this.read.length > limit || this.bytes > maxBytes) {
        this.state = 'full';
        return;
      }
      this.bytes += entry.key.length + (typeof entry.value === 'number' ? 8 : entry.value.length);
      if (this.read.length % PORTION === 0) await (this.pace?.turn() ?? nextTurn());
    }
  }

  async close(): Promise<void> {
    await this.span.entries.return();
  }
}

/** All that a query takes of a span. */
export async function collect(span: Span, query: SpanQuery, pace: ReadingPace | undefined): Promise<Found> {
  const reading = new SpanReading(span, query, pace);
  try {
    await reading.readOn(query.limit + 1);
    return reading.found;
  } finally {
    await reading.close();
  }
}

async function valueIn<T>(next: Promise<IteratorResult<T>>): Promise<T | undefined> {
  const { done, value } = await next;
  return done ? undefined : value;
}
