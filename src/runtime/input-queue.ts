import type { DeliveryError } from '../core/errors.js';
import type { RawBatch } from '../core/raw-batch.js';
import type { TopicPartition } from '../core/transport.js';
import type { Readiness } from './preparation.js';
import type { SourceRunner } from './source-runner.js';

/** A stretch of one raw batch that is to be processed as one batch. */
export interface Stretch {
  readonly raw: RawBatch;
  readonly from: number;
  readonly to: number;
}

/**
 * Records between two acknowledgements while a refused one is looked for: one at a time costs milliseconds a record, and
 * the batch that holds it is split further anyway (B6).
 */
const ISOLATED = 64;

const NOTHING_PREPARED: { readonly raw: RawBatch | undefined; readonly to: number } = { raw: undefined, to: 0 };

/** Records read from one partition that wait for their task, and how far the task has come. */
export class InputQueue {
  private batches: RawBatch[] = [];
  private head = 0;
  /** Records waiting. */
  length = 0;
  /** Next offset to process (B5). */
  position: number;
  /** Where to read again when the cycle is undone: the position of the last commit. */
  rewindTo: number;
  /** Outputs of records below this were written before a restart and are dropped (C4). */
  replayUntil = 0;
  /** Takes no more records: the partition is being given up. */
  closed = false;
  /** Records below this are processed few at a time, each time acknowledged, after a delivery has failed (E2). */
  isolateUntil = 0;
  /** Its next records wait for what their formats need. */
  preparing = false;
  /** Up to which index of a batch records were found to need nothing: they are not looked at again when few are taken at a time. */
  private prepared = NOTHING_PREPARED;
  /** What came below this has been pushed; beyond the last record where markers follow it. Undefined when not known. */
  readTo: number | undefined;
  /** More of the partition is on the broker than was read, or that is not known; kept up only where other inputs may wait for it (T4). */
  behind = false;
  /** Other inputs share a store with it (T2). */
  ordered = false;
  /** At most so many of them at a time. */
  private isolateBy = ISOLATED;
  /** The record that was found to be at fault, and why: it is not tried again. */
  private condemned: { readonly offset: number; readonly cause: DeliveryError } | undefined;
  /** Processed so far; both only grow. */
  doneRecords = 0;
  doneBytes = 0;

  constructor(
    readonly partition: TopicPartition,
    readonly source: SourceRunner,
    start: number,
  ) {
    this.position = start;
    this.rewindTo = start;
  }

  push(raw: RawBatch): void {
    this.batches.push(raw);
    this.length += raw.length;
  }

  /** The next batch: at most `max` records, cut where replay ends. Undefined when none waits. */
  next(max: number): Stretch | undefined {
    const raw = this.batches[0];
    if (raw === undefined) return undefined;
    const from = this.head;
    const limit = this.isolating ? Math.min(max, this.isolateBy) : max;
    let to = Math.min(raw.length, from + limit);
    // What lies beyond is not acknowledged at once, and would be laid at the next partition that is isolated.
    while (this.isolating && to > from + 1 && raw.offsetAt(to - 1) >= this.isolateUntil) to -= 1;
    if (this.replaying && raw.offsetAt(to - 1) >= this.replayUntil) {
      to = from;
      while (raw.offsetAt(to) < this.replayUntil) to += 1;
      // Compaction or markers may have left a gap up to here: replay is over.
      if (to === from) {
        this.position = raw.offsetAt(from);
        return this.next(max);
      }
    }
    return { raw, from, to };
  }

  /** How many of the next `max` records can be read now, and what those after them wait for. */
  prepare(max: number): Readiness {
    const { preparation } = this.source;
    const stretch = preparation.none ? undefined : this.next(max);
    if (stretch === undefined) return { ready: max, needs: undefined };
    const { raw, from, to } = stretch;
    const known = raw === this.prepared.raw ? Math.min(Math.max(from, this.prepared.to), to) : from;
    if (known === to) return { ready: to - from, needs: undefined };
    const { ready, needs } = preparation.of(raw, known, to);
    this.prepared = { raw, to: known + ready };
    return { ready: known - from + ready, needs };
  }

  get replaying(): boolean {
    return this.position < this.replayUntil;
  }

  /** The stretch since the last commit cannot be written: the next is half of it, or the one record is at fault (E2). */
  narrow(cause: DeliveryError): void {
    if (this.isolateBy > 1) this.isolateBy = Math.ceil(this.isolateBy / 2);
    else this.condemned = { offset: this.rewindTo, cause };
  }

  /** Why the record at an offset must not be tried again. */
  condemnation(offset: number): DeliveryError | undefined {
    return this.condemned?.offset === offset ? this.condemned.cause : undefined;
  }

  get isolating(): boolean {
    return this.position < this.isolateUntil;
  }

  /** A stretch that was taken to find a refused record is not committed yet (E2). */
  get onTrial(): boolean {
    return this.position > this.rewindTo && this.rewindTo < this.isolateUntil;
  }

  /** What to commit: never below what was committed before a restart (C4). */
  get offsetToCommit(): number {
    return Math.max(this.position, this.replayUntil);
  }

  /** Everything of the head batch below index `end` is done. */
  advanceTo(end: number): void {
    const raw = this.batches[0] as RawBatch;
    this.length -= end - this.head;
    this.doneRecords += end - this.head;
    if (end < raw.length) {
      this.head = end;
      this.position = raw.offsetAt(end);
      return;
    }
    this.batches.shift();
    this.head = 0;
    this.prepared = NOTHING_PREPARED;
    this.position = this.batches[0]?.offsetAt(0) ?? raw.offsetAt(raw.length - 1) + 1;
    this.doneBytes += raw.bytes;
  }

  /** Nothing below the position has to be read again; a search for a refused record that came so far is over. */
  committed(): void {
    this.rewindTo = this.position;
    const found = this.condemned !== undefined && this.condemned.offset < this.rewindTo;
    if (found) this.condemned = undefined;
    if (found || !this.isolating) this.isolateBy = ISOLATED;
  }

  /** Moves past transaction markers, once no record waits before them (B5). */
  catchUp(): void {
    if (this.length === 0 && this.readTo !== undefined && this.readTo > this.position) this.position = this.readTo;
  }

  /** Forgets what waits. Returns the bytes let go of. */
  clear(): number {
    const bytes = this.batches.reduce((sum, raw) => sum + raw.bytes, 0);
    this.batches = [];
    this.prepared = NOTHING_PREPARED;
    this.head = 0;
    this.length = 0;
    this.readTo = undefined;
    return bytes;
  }
}
