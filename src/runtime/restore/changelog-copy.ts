import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../../core/clock.js';
import { OffsetOutOfRangeError, RetriableError, StoreError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import type { RawBatch } from '../../core/raw-batch.js';
import { type CommittedOffset, type LogEnd, partitionKey, type TopicAdmin, type TopicPartition } from '../../core/transport.js';
import type { EngineMetrics } from '../metrics.js';
import type { RowsOfChangelog } from '../stores/store-kind.js';
import type { RecordTimes } from '../tables/record-times.js';
import type { ChangelogReader, ChangelogTaker } from './changelog-reader.js';
import { Chunk } from './chunk.js';
import type { SharedStorage } from './shared-storage.js';
import { REBUILD_REASONS, type RebuildReason, startingPoint } from './starting-point.js';

/**
 * What is read is written at the latest after so long, and told of. A restore writes a key once for all its records since: seldom is
 * fast. Into a store that ends with the process it writes when it must: nothing is lost by it, and nobody reads the store before.
 */
const RESTORE_WRITES_EVERY_MS = 2_000;
const STANDBY_WRITES_EVERY_MS = 1_000;
/** A copy that is at the end says so on disk once in a while: a position grows too old by not being renewed. */
const RENEW_EVERY_MS = 10 * 60_000;
/** How often in a row a changelog may lose what is being read. */
const MOST_LOSSES = 5;
const RETRY_MS = 200;

/** One store of a task and the changelog partition it is filled from. */
export interface Changelog extends TopicPartition {
  readonly store: string;
  /** `delete.retention.ms` of the topic; 7 days, as it is created with, unless told. */
  readonly deleteRetentionMs?: number | undefined;
  /** How its records become the store's rows; undefined where they are the rows. */
  readonly rows?: RowsOfChangelog | undefined;
  /** Of a table: its topic is an input too, and what lies beyond the offset from which that is processed is left to it (S5). */
  readonly table?: { readonly times: RecordTimes /** That offset; undefined: what the group has committed. */; readonly upTo?: number | undefined } | undefined;
}

/** What all copies of a process are given alike. */
export interface CopySurroundings {
  readonly reader: ChangelogReader;
  readonly admin: Pick<TopicAdmin, 'logEnds'>;
  /** Wall time, in which positions are dated. */
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: EngineMetrics;
  /** What is read is written at the latest after so long, in milliseconds; 0: as soon as nothing is being written. Unless told two seconds, of standbys one, and of restores into what ends with the process none. */
  readonly writeEveryMs?: number | undefined;
  /** What the group has committed; needed where tables are followed. */
  readonly committed?: ((partitions: readonly TopicPartition[]) => Promise<CommittedOffset[]>) | undefined;
}

export interface CopyEvents {
  /** The offsets from which on and up to which it is copied; once more when the store is built anew. */
  started(from: number, end: number): void;
  /**
   * Records and the bytes of their keys and values that are in the store now, and the next offset. Those of a store that ends with
   * the process may still be on their way: then they are there when `run` resolves.
   */
  wrote(records: number, bytes: number, position: number): void;
}

const SEVEN_DAYS_MS = 7 * 86_400_000;

type PassEnd = 'reached' | 'stopped' | Extract<RebuildReason, 'out-of-range' | 'other-topic'>;

/** Up to where to copy, as of a moment in epoch milliseconds: the end of the log, of a table perhaps less. */
interface Mark extends LogEnd {
  readonly logEnd: number;
  readonly asked: number;
}

/**
 * Copies one changelog partition into its store: for a restore up to the end that the log had when it began, for a standby
 * on and on. What is in the store is always the fold of the log up to the stored position, or gets so by copying on.
 */
export class ChangelogCopy implements ChangelogTaker {
  private chunk: Chunk;
  private chunkSince = 0;
  /** Next offset to read. */
  private position = 0;
  /** All deletions after this moment that the store has not seen can still be read (S4). Epoch milliseconds. */
  private time = 0;
  private mark: Mark | undefined;
  private writing: Promise<void> | undefined;
  private stopping = false;
  private atEnd = false;
  /** The reader gives it records; a copy of a table has none at the committed offset. */
  private reading = false;
  private settle: ((end: PassEnd, error?: unknown) => void) | undefined;
  /** The pass is over, as soon as no write is under way. */
  private over: (() => void) | undefined;

  constructor(
    readonly changelog: Changelog,
    private readonly storage: SharedStorage,
    private readonly endless: boolean,
    private readonly surroundings: CopySurroundings,
    private readonly events: CopyEvents,
  ) {
    this.chunk = this.emptyChunk();
  }

  /** Resolves at the end of the log, or, having written what was read, after `stop`. Can be called again then, and goes on from there. */
  async run(): Promise<'reached' | 'stopped'> {
    this.stopping = false;
    let distrusted: RebuildReason | undefined;
    for (let losses = 0; losses <= MOST_LOSSES; losses++) {
      const mark = await this.begin(distrusted);
      if (mark === undefined) return 'stopped';
      const end = await this.pass(mark);
      if (end === 'stopped') return end;
      if (end === 'reached' && !(await this.replaced(mark))) return end;
      distrusted = end === 'reached' ? 'other-topic' : end;
      await this.storage.distrust(this.changelog);
      if (this.endless && this.atEnd) losses = 0;
    }
    throw new StoreError('state/changelog-unstable', `${partitionKey(this.changelog)} lost records ${MOST_LOSSES} times while it was being restored`, {
      fix: 'give the changelog of the store a longer retention, and remove what deletes its records',
    });
  }

  /** Ends `run` at a batch boundary. */
  stop(): void {
    this.stopping = true;
    if (this.settle === undefined) return;
    this.surroundings.reader.remove(this);
    this.advance();
  }

  /**
   * Newer knowledge of the log's end, asked for at a moment in epoch milliseconds: dates the position, and tells another topic
   * of the same name. `upTo` is what the group had committed then, of a table.
   */
  learn(end: LogEnd, asked: number, upTo = this.mark?.offset): void {
    if (this.mark === undefined || this.settle === undefined) return;
    if (differ(end.topicId, this.mark.topicId)) {
      this.end('other-topic');
    } else {
      this.mark = this.markOf(end, asked, upTo);
      this.readOn();
      this.advance();
    }
  }

  get full(): boolean {
    return this.writing !== undefined && this.chunk.bytes >= this.surroundings.reader.chunkBytes;
  }

  take(raw: RawBatch): void {
    if (this.chunk.records === 0) this.chunkSince = performance.now();
    const end = this.endWithin(raw);
    this.chunk.add(raw, end);
    this.position = end < raw.length ? (this.mark?.offset ?? 0) : raw.offsetAt(raw.length - 1) + 1;
  }

  turn(position: number | undefined): void {
    if (position !== undefined && position > this.position) this.position = Math.min(position, this.bound);
    if (this.endless && this.position >= this.bound) this.pause();
    this.advance();
  }

  failed(error: unknown): void {
    if (error instanceof OffsetOutOfRangeError) this.end('out-of-range');
    else this.end('stopped', error);
  }

  /** Offset that is not passed. */
  private get bound(): number {
    return this.changelog.table === undefined ? Number.POSITIVE_INFINITY : (this.mark?.offset ?? 0);
  }

  /** Index of the first record that is not to be taken. */
  private endWithin(raw: RawBatch): number {
    const { bound } = this;
    let end = raw.length;
    while (end > 0 && raw.offsetAt(end - 1) >= bound) end--;
    return end;
  }

  private readOn(): void {
    if (this.reading || this.stopping || this.settle === undefined || this.position >= this.bound) return;
    const { topic, partition } = this.changelog;
    this.reading = true;
    this.surroundings.reader.add({ topic, partition, offset: this.position }, this);
  }

  private pause(): void {
    this.reading = false;
    this.surroundings.reader.remove(this);
  }

  /** Finds where to begin, and empties the store when what it holds cannot be trusted; undefined when stopped. */
  private async begin(distrusted: RebuildReason | undefined): Promise<Mark | undefined> {
    const { changelog, storage, surroundings } = this;
    const { store, deleteRetentionMs = SEVEN_DAYS_MS } = changelog;
    const mark = await this.askEnd();
    const marks = mark && (await this.ask(() => surroundings.reader.watermarks(changelog)));
    if (mark === undefined || marks === undefined) return undefined;
    const stored = await storage.position(changelog);
    const start = startingPoint(stored, { low: marks.low, end: mark.offset, logEnd: mark.logEnd, topicId: mark.topicId, asked: mark.asked, deleteRetentionMs });
    const unknown = stored === undefined && !(await storage.isEmpty(store)) ? 'no-position' : undefined;
    const reason = distrusted ?? start.rebuild ?? unknown;
    if (reason !== undefined) {
      surroundings.logger.warn(
        { store, changelog: partitionKey(changelog), position: stored?.offset, from: marks.low, end: mark.offset, reason },
        `the local copy of the store is built anew from its changelog: ${REBUILD_REASONS[reason]}`,
      );
      surroundings.metrics.rebuilt(store, reason);
      await storage.empty(store, changelog);
    }
    if (this.stopping) return undefined;
    this.position = reason === undefined ? start.from : marks.low;
    this.time = reason === undefined ? start.time : mark.asked;
    this.events.started(this.position, mark.offset);
    return mark;
  }

  private pass(mark: Mark): Promise<PassEnd> {
    this.mark = mark;
    this.atEnd = false;
    this.over = undefined;
    this.chunk = this.emptyChunk();
    const ended = new Promise<PassEnd>((resolve, reject) => {
      this.settle = (end, error) => {
        this.settle = undefined;
        if (error === undefined) resolve(end);
        else reject(error);
      };
    });
    this.reading = false;
    if (this.endless || this.position < mark.offset) this.readOn();
    this.advance();
    return ended;
  }

  /** Begins a write when one is due and none is under way. */
  private advance(): void {
    const { mark, chunk } = this;
    if (this.writing !== undefined || this.settle === undefined || mark === undefined) return;
    const atEnd = this.position >= mark.offset;
    const end = this.stopping ? 'stopped' : atEnd && !this.endless ? 'reached' : undefined;
    const { reader, writeEveryMs = this.endless ? STANDBY_WRITES_EVERY_MS : RESTORE_WRITES_EVERY_MS } = this.surroundings;
    const waited = chunk.records > 0 && performance.now() - this.chunkSince >= writeEveryMs;
    const due = chunk.bytes >= reader.chunkBytes || (waited && !this.holds);
    const renew = atEnd && mark.asked - this.time >= RENEW_EVERY_MS;
    if (end === undefined && !due && !renew) {
      if (waited) {
        this.chunkSince = performance.now();
        this.tell(chunk, this.position);
      }
      return;
    }
    this.writing = this.write(mark, atEnd).then(
      () => this.written(end),
      (error) => this.written('stopped', error),
    );
  }

  private async write(mark: Mark, atEnd: boolean): Promise<void> {
    const { chunk, position, changelog } = this;
    const { store, topic, partition } = changelog;
    this.chunk = this.emptyChunk();
    if (atEnd) this.time = Math.max(this.time, mark.asked);
    this.atEnd ||= atEnd;
    await this.storage.write(store, chunk, { topic, partition, offset: position, time: this.time, topicId: mark.topicId }, changelog.rows);
    if (chunk.skipped > 0) this.surroundings.metrics.restoreSkipped(store, chunk.skipped);
    this.tell(chunk, position);
  }

  private tell(chunk: Chunk, position: number): void {
    const { records, payload } = chunk.news();
    this.events.wrote(records, payload, position);
  }

  private written(end: PassEnd | undefined, error?: unknown): void {
    this.writing = undefined;
    if (this.over !== undefined) {
      this.over();
    } else if (end !== undefined) {
      this.end(end, error);
    } else {
      this.surroundings.reader.roomMade();
      this.advance();
    }
  }

  /** What was read waits until the chunk is full or the pass ends: written earlier it would be no safer, and each key be written again. */
  private get holds(): boolean {
    return !this.endless && !this.storage.persistent && !this.chunk.everyRecord && this.surroundings.writeEveryMs === undefined;
  }

  /** Ends the pass; what was not written is dropped. */
  private end(end: PassEnd, error?: unknown): void {
    this.surroundings.reader.remove(this);
    this.chunk = this.emptyChunk();
    this.over ??= () => this.settle?.(end, error);
    if (this.writing === undefined) this.over();
  }

  private emptyChunk(): Chunk {
    return new Chunk(this.changelog.rows?.everyRecord || this.storage.takesEveryRecord(this.changelog), this.changelog.table?.times);
  }

  /** Whether the topic is another one than that which was read. */
  private async replaced(mark: Mark): Promise<boolean> {
    const now = await this.askEnd();
    return now !== undefined && differ(now.topicId, mark.topicId);
  }

  private async askEnd(): Promise<Mark | undefined> {
    const { admin, clock } = this.surroundings;
    const { topic, partition } = this.changelog;
    const asked = clock.now();
    const ends = await this.ask(() => admin.logEnds([{ topic, partition }]));
    if (ends === undefined) return undefined;
    const [end] = ends;
    if (end === undefined) throw new Error(`no log end was told for ${partitionKey(this.changelog)}`);
    const upTo = this.changelog.table && (this.changelog.table.upTo ?? (await this.ask(() => this.askCommitted())));
    return this.stopping ? undefined : this.markOf(end, asked, upTo);
  }

  /** 0 where the group has committed nothing: then nothing is copied. */
  private async askCommitted(): Promise<number> {
    const [offset] = (await this.surroundings.committed?.([this.changelog])) ?? [];
    return offset?.offset ?? 0;
  }

  private markOf(end: LogEnd, asked: number, upTo: number | undefined): Mark {
    const offset = this.changelog.table === undefined || upTo === undefined ? end.offset : Math.min(end.offset, upTo);
    return { ...end, offset, logEnd: end.offset, asked };
  }

  /** Asks until there is an answer; undefined when stopped (E3). */
  private async ask<T>(question: () => Promise<T>): Promise<T | undefined> {
    for (let first = true; !this.stopping; first = false) {
      try {
        return await question();
      } catch (error) {
        if (!(error instanceof RetriableError)) throw error;
        if (first) this.surroundings.logger.warn({ err: error.message, code: error.code }, 'the changelog cannot be asked for its end; trying again');
        await sleep(RETRY_MS);
      }
    }
    return undefined;
  }
}

/** Where a cluster does not tell ids, topics pass for the same. */
function differ(one: string | undefined, other: string | undefined): boolean {
  return one !== undefined && other !== undefined && one !== other;
}
