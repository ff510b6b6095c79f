import { isPromise, type MaybePromise } from '../core/maybe.js';
import type { StreamRecord } from '../core/record.js';
import type { Serde } from '../core/serde.js';
import type { KeyValueStore, StoreIterator } from '../core/store.js';
import type { EmitEvery } from './model.js';
import {
  afterRow,
  bytesOfOutput,
  decodeOutput,
  decodeQueueRow,
  encodeOutput,
  encodePlace,
  encodeSums,
  type Place,
  placeRow,
  QUEUE_END,
  queueFrom,
  queueRow,
  SUMS_ROW,
  type Sums,
  weightOf,
} from './waiting-rows.js';

/** Rows asked for at first, and how often the next scan asks for twice as many. */
const FIRST_SCAN = 64;
const MOST_DOUBLED = 6;

interface Waiting extends Place {
  readonly key: string;
  readonly stored: boolean;
  bytes: number;
  /** The latest update that the store does not have; undefined: what it has is the latest. */
  update?: StreamRecord;
  /** Its row in the queue, once that was read. */
  row?: Buffer;
  /** The bytes differ from those in the store. */
  resized?: boolean;
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
  private readonly byKey = new Map<string, Waiting>();
  /** Not in the store, in the order in which they leave; `head`: the next to. */
  private readonly begun: Waiting[] = [];
  private head = 0;
  /** In the store, and gone since. */
  private readonly left: Waiting[] = [];
  private scan: StoreIterator<Buffer, Buffer> | undefined;
  /** Where the next scan begins, how many there were, and how many rows the present one gave. */
  private from: Buffer;
  private scans = 0;
  private scanned = 0;
  /** The oldest that the store has, where it was read ahead. */
  private ahead: Waiting | undefined;
  /** `since` of the oldest that the store has and that has not left. */
  private oldestStored: number | undefined;
  private newest: number;
  private number: number;
  private bytes: number;

  constructor(
    private readonly store: KeyValueStore<Buffer, Buffer>,
    private readonly before: Sums,
    private readonly emit: EmitEvery,
    private readonly keys: Serde<unknown>,
  ) {
    ({ newest: this.newest, number: this.number, bytes: this.bytes, oldest: this.oldestStored } = before);
    // Not at the start of the queue: there lie the rows of those that have left and that the disk still has.
    this.from = queueFrom(before.oldest ?? 0);
  }

  /** The store has an output of this key. */
  knows(key: string, place: Place): void {
    this.byKey.set(key, { ...place, key, stored: true });
  }

  /** The latest result of a key: in the place of one that waits, else at the end. */
  update(key: string, record: StreamRecord): void {
    let waiting = this.byKey.get(key);
    if (waiting === undefined) {
      this.newest = Math.max(this.newest, record.streamTime);
      waiting = { key, since: this.newest, number: ++this.number, bytes: 0, stored: false };
      this.byKey.set(key, waiting);
      this.begun.push(waiting);
    }
    const bytes = weightOf(key, record);
    if (bytes !== waiting.bytes) waiting.resized = true;
    this.bytes += bytes - waiting.bytes;
    waiting.bytes = bytes;
    waiting.update = record;
  }

  /** Lets go of what is due at a stream time, and of the oldest while there is too much; `cause`: the record that did it. */
  release(now: number, cause: StreamRecord | undefined): MaybePromise<void> {
    for (;;) {
      const since = this.oldestStored ?? this.begun[this.head]?.since;
      if (since === undefined) return;
      const due = since + this.emit.everyMs <= now;
      if (!due && this.bytes <= this.emit.maxBytes) return;
      if (!due) this.early++;
      const next = this.oldestStored === undefined ? (this.begun[this.head++] as Waiting) : this.nextStored();
      if (isPromise(next)) {
        return next.then((waiting) => {
          if (waiting !== undefined) this.leave(waiting, cause);
          return this.release(now, cause);
        });
      }
      this.leave(next, cause);
    }
  }

  /** What the store is to hold now. */
  writes(): [Buffer, Buffer | null][] {
    const writes: [Buffer, Buffer | null][] = [];
    for (const one of this.left) writes.push([queueRow(one.key, one), null], [placeRow(one.key), null]);
    for (const one of this.byKey.values()) {
      if (one.update === undefined) continue;
      writes.push([queueRow(one.key, one), encodeOutput(one.update, one.bytes)]);
      if (!one.stored || one.resized) writes.push([placeRow(one.key), encodePlace(one)]);
    }
    const sums: Sums = { oldest: this.oldestStored ?? this.begun[this.head]?.since, newest: this.newest, number: this.number, bytes: this.bytes };
    const { oldest, newest, number, bytes } = this.before;
    if (sums.oldest !== oldest || sums.newest !== newest || sums.number !== number || sums.bytes !== bytes) writes.push([SUMS_ROW, encodeSums(sums)]);
    return writes;
  }

  close(): MaybePromise<void> {
    return this.scan?.return().then(() => {});
  }

  private leave(waiting: Waiting, cause: StreamRecord | undefined): void {
    const { key, update, row } = waiting;
    const bytes = update === undefined ? (row as Buffer) : encodeOutput(update, waiting.bytes);
    this.outputs.push(decodeOutput(key, bytes, this.keys, cause));
    this.bytes -= waiting.bytes;
    this.byKey.delete(key);
    if (waiting.stored) this.left.push(waiting);
  }

  /** The oldest that the store has; the one after it is read too, to know when its time is over. */
  private async nextStored(): Promise<Waiting | undefined> {
    const next = this.ahead ?? (await this.readStored());
    this.ahead = await this.readStored();
    this.oldestStored = this.ahead?.since;
    return next;
  }

  /** Some at a time: what a scan costs goes by what it is asked for, and most of what waits is not due. */
  private async readStored(): Promise<Waiting | undefined> {
    const limit = FIRST_SCAN * 2 ** this.scans;
    this.scan ??= this.store.range(this.from, QUEUE_END, { limit });
    const { done, value } = await this.scan.next();
    if (done) {
      if (this.scanned < limit) return undefined;
      this.scans = Math.min(this.scans + 1, MOST_DOUBLED);
      this.scanned = 0;
      this.scan = undefined;
      return this.readStored();
    }
    const [name, row] = value;
    this.scanned++;
    this.from = afterRow(name);
    const place = decodeQueueRow(name);
    const known = this.byKey.get(place.key);
    const waiting: Waiting = known?.stored ? known : { ...place, bytes: bytesOfOutput(row), stored: true };
    waiting.row = row;
    return waiting;
  }
}
