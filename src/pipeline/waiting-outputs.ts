import { isPromise, type MaybePromise } from '../core/maybe.js';
import type { StreamRecord } from '../core/record.js';
import type { Serde } from '../core/serde.js';
import type { KeyValueStore } from '../core/store.js';
import type { EmitEvery } from './model.js';
import { encodeState, type QueueEntry, QueueReader, type QueueState, queueAfter } from './waiting-queue.js';
import { decodeOutput, decodePlace, encodeOutput, outputOf, type Place, placeRow, QUEUE_ROW, weightOf } from './waiting-rows.js';

/** Outputs read ahead at once, and how many of those that are not due and may leave early. */
const READ_AHEAD = 1000;
const FEW = 16;

class Waiting implements Place {
  /** The latest update that the store does not have; undefined: what it has is the latest. */
  update: StreamRecord | undefined;

  constructor(
    readonly key: string,
    readonly since: number,
    readonly number: number,
    public bytes: number,
    /** What the store has of it; undefined when it began to wait in this batch. */
    readonly row: Buffer | undefined,
  ) {}
}

/**
 * The outputs that wait in the course of one batch: those that the store has, oldest first, then those that have begun to
 * wait since. An output leaves when its time is over, or, while all that wait count more than the bound, when it is the
 * oldest.
 */
export class WaitingOutputs {
  /** What has left, in order. */
  readonly outputs: StreamRecord[] = [];
  /** How many left before their time. */
  early = 0;
  /** Those that wait and are known, by key. */
  private readonly byKey = new Map<string, Waiting>();
  /** Not in the store, in the order in which they leave; `head`: the next to. */
  private readonly begun: Waiting[] = [];
  private head = 0;
  /** Rows that the store has of what has left. */
  private readonly gone: Buffer[] = [];
  /** Through what the store has: up to what has not left, and to what was not read ahead. */
  private readonly stored: QueueReader;
  private readonly ahead: QueueReader;
  private readonly read: Waiting[] = [];
  private taken = 0;
  private newest: number;
  private bytes: number;

  constructor(
    private readonly store: KeyValueStore<Buffer, Buffer>,
    private readonly before: QueueState,
    private readonly emit: EmitEvery,
    private readonly keys: Serde<unknown>,
    /** Stream time at the end of the batch. */
    private readonly until: number,
  ) {
    ({ newest: this.newest, bytes: this.bytes } = before);
    this.stored = new QueueReader(store, before, (stretch) => this.gone.push(stretch));
    this.ahead = new QueueReader(store, before);
  }

  /** The store has an output of this key. */
  knows(key: string, row: Buffer): void {
    const { since, number, bytes } = decodePlace(row);
    this.byKey.set(key, new Waiting(key, since, number, bytes, row));
  }

  /** The latest result of a key: in the place of one that waits, else at the end. */
  update(key: string, record: StreamRecord): void {
    let waiting = this.byKey.get(key);
    if (waiting === undefined) {
      this.newest = Math.max(this.newest, record.streamTime);
      waiting = new Waiting(key, this.newest, this.before.next + this.begun.length, 0, undefined);
      this.byKey.set(key, waiting);
      this.begun.push(waiting);
    }
    const bytes = weightOf(key, record);
    this.bytes += bytes - waiting.bytes;
    waiting.bytes = bytes;
    waiting.update = record;
  }

  /** Lets go of what is due at a stream time, and of the oldest while there is too much; `cause`: the record that did it. */
  release(now: number, cause: StreamRecord | undefined): MaybePromise<void> {
    for (;;) {
      const since = this.oldest;
      if (since === undefined) return;
      const due = since + this.emit.everyMs <= now;
      if (!due && this.bytes <= this.emit.maxBytes) return;
      const fetched = this.readAhead(due ? 0 : FEW);
      if (isPromise(fetched)) return fetched.then(() => this.release(now, cause));
      if (!due) this.early++;
      this.leave(this.next(), cause);
    }
  }

  /** What the store is to hold now. */
  writes(): [Buffer, Buffer | null][] {
    const writes: [Buffer, Buffer | null][] = this.gone.map((row) => [row, null]);
    for (const one of this.byKey.values()) {
      if (one.update !== undefined) writes.push([placeRow(one.key), encodeOutput(one, one.update)]);
    }
    const change = { reader: this.stored, added: this.begun.slice(this.head), next: this.before.next + this.begun.length };
    const queue = queueAfter(this.before, change, (row, entries) => writes.push([row, entries]));
    const state = encodeState({ session: this.before.session, newest: this.newest, bytes: this.bytes, ...queue });
    if (!state.equals(encodeState(this.before))) writes.push([QUEUE_ROW, state]);
    return writes;
  }

  /** `since` of the next to leave. */
  private get oldest(): number | undefined {
    return this.stored.since ?? this.begun[this.head]?.since;
  }

  private next(): Waiting {
    if (this.stored.since === undefined) return this.begun[this.head++] as Waiting;
    this.stored.skip();
    return this.read[this.taken++] as Waiting;
  }

  private leave({ key, update, row, bytes }: Waiting, cause: StreamRecord | undefined): void {
    this.outputs.push(update === undefined ? decodeOutput(key, row as Buffer, this.keys, cause) : outputOf(key, update, this.keys, cause));
    this.bytes -= bytes;
    this.byKey.delete(key);
    if (row !== undefined) this.gone.push(placeRow(key));
  }

  /** The outputs at the queue's head, where they are not here yet: those that are due in this batch, and `few` at least. */
  private readAhead(few: number): MaybePromise<void> {
    if (this.taken < this.read.length || this.stored.since === undefined) return;
    const entries: QueueEntry[] = [];
    for (let { since } = this.ahead; since !== undefined && entries.length < READ_AHEAD; { since } = this.ahead) {
      if (entries.length >= few && since + this.emit.everyMs > this.until) break;
      entries.push(this.ahead.take());
    }
    const unknown = entries.filter(({ key }) => !this.byKey.has(key));
    const rows = this.store.getBatch(unknown.map(({ key }) => placeRow(key)));
    return isPromise(rows) ? rows.then((found) => this.hold(entries, unknown, found)) : this.hold(entries, unknown, rows);
  }

  private hold(entries: readonly QueueEntry[], unknown: readonly QueueEntry[], rows: readonly (Buffer | null)[]): void {
    for (const [i, { key }] of unknown.entries()) {
      const row = rows[i];
      if (!row) throw new Error(`${this.store.name} has no row for an output that waits`);
      this.knows(key, row);
    }
    for (const { key } of entries) this.read.push(this.byKey.get(key) as Waiting);
  }
}
