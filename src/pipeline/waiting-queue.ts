import { latin1Of, writeLatin1 } from '../core/latin1.js';
import type { KeyValueStore } from '../core/store.js';
import { readTime, readWord, TIME_BYTES, writeTime, writeWord } from '../runtime/stores/time-bytes.js';
import { stretchRow } from './waiting-rows.js';

/** A stretch is a row of its own from so many bytes on, and has about so many at most. */
const OWN_ROW = 1024;
const LARGEST = 16_384;
/** Before the key of an entry: since when it waits, and the length of the key. */
const BEFORE_KEY = TIME_BYTES + 4;

/** An output in the queue. */
export interface QueueEntry {
  readonly key: string;
  /** Stream time of its first update, in epoch milliseconds. */
  readonly since: number;
}

/** What is known of the queue without a look at its stretches. */
export interface QueueState {
  /** Goes up each time that the queue is made anew. */
  readonly session: number;
  /** Number of the next output that begins to wait. */
  readonly next: number;
  /** `since` of the newest that ever waited. */
  readonly newest: number;
  /** What all outputs that wait count for. */
  readonly bytes: number;
  /** `since` of the oldest; undefined when none waits. */
  readonly oldest: number | undefined;
  /** Number of the oldest, the name of the stretch it stands in, and where in it, in bytes. */
  readonly head: number;
  readonly stretch: number;
  readonly at: number;
  /** Name of the last stretch, and its entries: it has no row of its own. */
  readonly last: number;
  readonly entries: Buffer;
}

const NOTHING = Buffer.alloc(0);
const STATE_FIELDS = 9;

export function emptyQueue(session: number, next: number, newest: number): QueueState {
  return { session, next, newest, bytes: 0, oldest: undefined, head: next, stretch: next, at: 0, last: next, entries: NOTHING };
}

export function encodeState({ session, next, newest, bytes, oldest, head, stretch, at, last, entries }: QueueState): Buffer {
  const row = Buffer.allocUnsafe(STATE_FIELDS * TIME_BYTES + entries.length);
  const fields = [session, next, newest, bytes, oldest === undefined ? 0 : oldest + 1, head, stretch, at, last];
  for (const [i, field] of fields.entries()) writeTime(field, row, i * TIME_BYTES);
  row.set(entries, STATE_FIELDS * TIME_BYTES);
  return row;
}

export function decodeState(row: Buffer | null): QueueState {
  if (row === null) return emptyQueue(0, 1, 0);
  const field = (i: number): number => readTime(row, i * TIME_BYTES);
  const oldest = field(4) === 0 ? undefined : field(4) - 1;
  return {
    ...{ session: field(0), next: field(1), newest: field(2), bytes: field(3), oldest },
    ...{ head: field(5), stretch: field(6), at: field(7), last: field(8), entries: row.subarray(STATE_FIELDS * TIME_BYTES) },
  };
}

/** Goes through the outputs of a queue, oldest first. */
export class QueueReader {
  /** Of the next one, the stretch it stands in, and where in it. */
  number: number;
  stretch: number;
  at: number;
  private bytes: Buffer | undefined;

  constructor(
    private readonly store: KeyValueStore<Buffer, Buffer>,
    private readonly state: QueueState,
    /** Called when a stretch with a row of its own is done. */
    private readonly onDone: (row: Buffer) => void = () => {},
  ) {
    ({ head: this.number, stretch: this.stretch, at: this.at } = state);
  }

  /** `since` of the next one; undefined at the end. */
  get since(): number | undefined {
    if (this.number === this.state.head) return this.state.oldest;
    return this.number === this.state.next ? undefined : readTime(this.current(), this.at);
  }

  /** The next one; there must be one. */
  take(): QueueEntry {
    const bytes = this.current();
    const from = this.at + BEFORE_KEY;
    const entry = { key: latin1Of(bytes, from, from + readWord(bytes, this.at + TIME_BYTES)), since: readTime(bytes, this.at) };
    this.skip();
    return entry;
  }

  skip(): void {
    const bytes = this.current();
    this.at += BEFORE_KEY + readWord(bytes, this.at + TIME_BYTES);
    this.number++;
    if (this.at < bytes.length || this.stretch === this.state.last) return;
    this.onDone(stretchRow(this.stretch));
    this.stretch = this.number;
    this.at = 0;
    this.bytes = undefined;
  }

  private current(): Buffer {
    this.bytes ??= this.stretch === this.state.last ? this.state.entries : (this.store.get(stretchRow(this.stretch)) ?? undefined);
    if (this.bytes === undefined) throw new Error(`${this.store.name} has no row for the outputs that wait from number ${this.stretch} on`);
    return this.bytes;
  }
}

/** How far a queue was gone through, and what begins to wait behind it: of these all where some of the queue is left. */
interface QueueChange {
  readonly reader: QueueReader;
  readonly added: readonly QueueEntry[];
  /** Number of the next output after `added`. */
  readonly next: number;
}

/** Where the queue stands after a change; `write` gets the rows of stretches that have come to their ends. */
export function queueAfter(
  before: QueueState,
  { reader, added, next }: QueueChange,
  write: (row: Buffer, entries: Buffer) => void,
): Omit<QueueState, 'session' | 'newest' | 'bytes'> {
  const { since, number, stretch, at } = reader;
  const rest = since === undefined ? NOTHING : before.entries;
  const head = since === undefined ? next - added.length : number;
  // What has left the last stretch is cut off it, which gives it another name.
  const inLast = since === undefined || stretch === before.last;
  const place = { oldest: since ?? added[0]?.since, head, stretch: inLast ? head : stretch, at: inLast ? 0 : at };
  let last = inLast ? head : before.last;
  let parts = [inLast && since !== undefined ? rest.subarray(at) : rest];
  let length = (parts[0] as Buffer).length;
  const end = (first: number): void => {
    write(stretchRow(last), Buffer.concat(parts));
    last = first;
    parts = [];
    length = 0;
  };
  for (const [i, entry] of added.entries()) {
    if (length >= LARGEST) end(next - added.length + i);
    const bytes = encodeEntry(entry);
    parts.push(bytes);
    length += bytes.length;
  }
  if (length >= OWN_ROW) end(next);
  return { ...place, next, last, entries: Buffer.concat(parts) };
}

function encodeEntry({ key, since }: QueueEntry): Buffer {
  const bytes = Buffer.allocUnsafe(BEFORE_KEY + key.length);
  writeTime(since, bytes, 0);
  writeWord(key.length, bytes, TIME_BYTES);
  writeLatin1(key, bytes, BEFORE_KEY);
  return bytes;
}
