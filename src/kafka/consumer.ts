import { setTimeout as delay } from 'node:timers/promises';
import { BrokerError, messageOf, TaskMigratedError } from '../core/errors.js';
import { fulfilledWithin } from '../core/fulfilled-within.js';
import type { Logger } from '../core/logger.js';
import type { CommittedOffset, GroupListener, GroupMember, PartitionOffset, PartitionReader, ReadResult, TopicPartition } from '../core/transport.js';
import { type AssignedPartition, Assignment, isLive } from './assignment.js';
import { Code } from './codes.js';
import { Commits } from './commits.js';
import { kafkaError } from './errors.js';
import type { FetchEvent, Fetcher } from './fetched.js';
import { Loans } from './loan.js';
import { committedOffsets, offsetForTime, watermarks } from './offsets.js';
import { Rebalance } from './rebalance.js';
import { StallWatch } from './stall.js';
import { promised, type StockConsumer, type StockError, type StockMetadata, type StockPartition } from './stock.js';
import { Turns } from './turns.js';

const WAIT_MS = 200;
const WAIT_WHEN_LEAVING_MS = 10;
const SEEK_TIMEOUT_MS = 5_000;
const FETCH_BEGINS_WITHIN_MS = 250;
/** The listener may take so long to give everything up when leaving. */
const LEAVE_TIMEOUT_MS = 30_000;
const DISCONNECT_TIMEOUT_MS = 10_000;
/** Positions of idle partitions follow transaction markers at this pace, in milliseconds. */
const MARKERS_EVERY_MS = 100;

const NOTHING: ReadResult = { batches: [], drained: true };

/**
 * A group member and the reader of its partitions, on one stock client. Exactly one consume call is under way at a
 * time, and everything that changes what is read happens between two of them: answers to rebalances, seeks, assigns.
 */
export class GroupConsumer implements GroupMember, PartitionReader {
  private readonly assignment: Assignment;
  private readonly rebalance: Rebalance;
  private readonly commits: Commits;
  private readonly loans: Loans<StockConsumer>;
  private readonly stall: StallWatch;
  private readonly turns = new Turns();
  /** Assigns and unassigns that belong to no rebalance event. */
  private readonly changes: (() => void)[] = [];
  private subscribed: readonly string[] = [];
  private markersAt = 0;
  /** What a fetch has told, until it is thrown. */
  private failure: { readonly error: unknown } | undefined;
  private leaving: Promise<void> | undefined;
  private closing: Promise<void> | undefined;

  constructor(
    private readonly consumer: StockConsumer,
    private readonly fetcher: Fetcher,
    private readonly logger: Logger,
    /** How long a read waits for a first record, in milliseconds; it holds a thread of the pool meanwhile. */
    private waitMs = WAIT_MS,
  ) {
    this.assignment = new Assignment(consumer);
    this.rebalance = new Rebalance(consumer, this.assignment);
    this.commits = new Commits((offsets) => consumer.commit(offsets));
    this.loans = new Loans(consumer, this.rebalance);
    this.stall = new StallWatch(this.assignment, {
      watermarks: (tp) => this.watermarks(tp),
      cachedEnd: (tp) => this.cachedEnd(tp),
      restart: (partition) => this.seek([{ topic: partition.topic, partition: partition.partition, offset: partition.next }]),
    });
  }

  /** The client's `rebalance_cb`. */
  onRebalance(error: StockError | undefined, partitions: readonly TopicPartition[]): void {
    this.rebalance.received(error, partitions);
  }

  /** The client's `offset_commit_cb`. */
  onCommitted(error: StockError | null | undefined, offsets: readonly StockPartition[]): void {
    this.commits.acknowledged(error, offsets);
  }

  async join(topics: readonly string[], listener: GroupListener): Promise<void> {
    this.subscribed = topics;
    this.rebalance.listen(listener);
    this.consumer.subscribe(topics);
  }

  commit(offsets: readonly CommittedOffset[]): Promise<void> {
    // Without a member id, which it has lost, a static member would be fenced as somebody else. A closed client must not be asked.
    if (this.closing === undefined && this.rebalance.lost)
      return Promise.reject(new TaskMigratedError('broker/member-removed', 'commit of offsets: the group goes on without this member'));
    return this.commits.commit(offsets.map(({ topic, partition, offset, metadata }) => ({ topic, partition, offset, metadata })));
  }

  /** For a producer that sends this member's offsets to a transaction. Rejects with a TaskMigratedError when it is no member any more. */
  lend<T>(use: (consumer: StockConsumer) => Promise<T>): Promise<T> {
    return this.loans.lend(use);
  }

  committed(partitions: readonly TopicPartition[]): Promise<CommittedOffset[]> {
    return partitions.length === 0 ? Promise.resolve([]) : committedOffsets(this.consumer, partitions);
  }

  /** Bounded in time: a listener that takes longer than half a minute is left behind. Rejects with what the listener threw. */
  leave(): Promise<void> {
    this.leaving ??= this.depart();
    return this.leaving;
  }

  assign(positions: readonly PartitionOffset[]): void {
    if (!this.rebalance.joinAssign(positions)) this.changes.push(() => this.assignment.add(positions));
  }

  unassign(partitions: readonly TopicPartition[]): void {
    this.assignment.silence(partitions);
    if (!this.rebalance.joinUnassign(partitions)) this.changes.push(() => this.assignment.remove(partitions));
  }

  async seek(positions: readonly PartitionOffset[]): Promise<void> {
    const toMove = positions.filter((position) => !this.rebalance.moveJoined(position));
    for (const position of toMove) {
      const assigned = this.assignment.get(position);
      if (assigned !== undefined) assigned.moving = true;
    }
    await this.turns.take(async () => {
      this.applyChanges();
      for (const position of toMove) await this.move(position);
    });
  }

  pause(partitions: readonly TopicPartition[]): void {
    this.assignment.pause(partitions);
  }

  resume(partitions: readonly TopicPartition[]): void {
    this.assignment.resume(partitions);
  }

  /** After `close` or `leave` it waits a while and gives nothing. */
  async read(max: number): Promise<ReadResult> {
    if (this.closing === undefined) return this.turns.take(() => this.pass(max));
    await delay(WAIT_MS);
    return NOTHING;
  }

  position(partition: TopicPartition): number | undefined {
    const assigned = this.assignment.get(partition);
    return assigned?.started ? assigned.next : undefined;
  }

  watermarks(partition: TopicPartition): Promise<{ low: number; high: number }> {
    return watermarks(this.consumer, partition);
  }

  offsetForTime(partition: TopicPartition, timestamp: number): Promise<number> {
    return offsetForTime(this.consumer, partition, timestamp);
  }

  cachedEnd({ topic, partition }: TopicPartition): number | undefined {
    try {
      const { highOffset } = this.consumer.getWatermarkOffsets(topic, partition);
      return highOffset >= 0 ? highOffset : undefined;
    } catch {
      return undefined; // nothing was fetched yet
    }
  }

  close(): Promise<void> {
    this.closing ??= this.turns.take(() => this.disconnect());
    return this.closing;
  }

  /** One consume call, with what has to happen before and after it. */
  private async pass(max: number): Promise<ReadResult> {
    if (this.closing !== undefined) return NOTHING;
    this.rebalance.answer();
    this.applyChanges();
    this.stall.tell();
    if (this.failure !== undefined) this.tellFailure();
    const fetched = await this.fetcher.fetch(max, this.waitMs);
    this.rebalance.begin();
    const batches = fetched.batches.filter((batch) => isLive(this.assignment.get(batch)));
    for (const batch of batches) {
      const assigned = this.assignment.get(batch) as AssignedPartition;
      assigned.next = batch.offsetAt(batch.length - 1) + 1;
      assigned.started = true;
    }
    // Records that came with an error are handed out first.
    for (const event of fetched.events) await this.onFetchEvent(event);
    if (this.failure !== undefined && batches.length === 0) this.tellFailure();
    const drained = fetched.records < max;
    if (drained) this.idle();
    return { batches, drained };
  }

  private async onFetchEvent({ code, text }: FetchEvent): Promise<void> {
    try {
      await this.onFetchError({ code, message: text });
    } catch (error) {
      this.failure ??= { error };
    }
  }

  private tellFailure(): void {
    const failure = this.failure;
    this.failure = undefined;
    throw failure?.error;
  }

  private idle(): void {
    const now = performance.now();
    if (now - this.markersAt >= MARKERS_EVERY_MS) {
      this.markersAt = now;
      this.assignment.passMarkers();
    }
    this.stall.check();
  }

  /** Returns for what passes by itself, throws for what does not. */
  private async onFetchError(error: StockError): Promise<void> {
    switch (error.code) {
      case Code.state: // closed meanwhile
      case Code.transport:
      case Code.allBrokersDown:
      case Code.unresolvable:
      case Code.timedOut:
        return;
      case Code.maxPollExceeded: // the partitions are told lost next
        return this.logger.warn({}, 'nothing was read for longer than max.poll.interval.ms: the group gave our partitions to others');
      case Code.noOffsetReset:
      case Code.offsetOutOfRange:
        return this.stall.find();
      case Code.unknownTopic:
        return this.checkTopics();
      default:
        if (error.code === Code.groupAuthorization && this.subscribed.length === 0) return; // a plain reader needs no group
        throw kafkaError(error, `reading ${this.topics().join(', ')}`);
    }
  }

  private topics(): readonly string[] {
    return this.subscribed.length > 0 ? this.subscribed : [...new Set(this.assignment.all().map(({ topic }) => topic))];
  }

  private async checkTopics(): Promise<void> {
    for (const topic of this.topics()) {
      const found = await promised<StockMetadata>((done) => this.consumer.getMetadata({ topic, allTopics: false, timeout: SEEK_TIMEOUT_MS }, done)).catch(
        () => undefined,
      );
      if (found?.topics.some(({ name, partitions }) => name === topic && partitions.length === 0)) {
        throw new BrokerError('broker/unknown-topic', `the topic ${topic} does not exist`, { fix: 'Create the topic, or correct its name.' });
      }
    }
  }

  /** Not while the client waits for an answer: it would take this for one. */
  private applyChanges(): void {
    if (this.rebalance.pending) return;
    for (const change of this.changes.splice(0)) change();
  }

  private async move({ topic, partition, offset }: PartitionOffset): Promise<void> {
    const assigned = this.assignment.get({ topic, partition });
    if (assigned === undefined) return;
    assigned.moving = true;
    for (const from = performance.now(); ; await delay(WAIT_WHEN_LEAVING_MS)) {
      try {
        await promised((done) => this.consumer.seek({ topic, partition, offset }, SEEK_TIMEOUT_MS, done));
        break;
      } catch (error) {
        const waited = performance.now() - from;
        if ((error as StockError).code !== Code.state || waited > SEEK_TIMEOUT_MS) throw kafkaError(error as StockError, `seek in ${topic}-${partition}`);
        // Fetching has not begun, or it ended for good with an offset out of range: then it takes a new assignment.
        if (waited < FETCH_BEGINS_WITHIN_MS || this.rebalance.pending) continue;
        this.assignment.remove([{ topic, partition }]);
        this.assignment.add([{ topic, partition, offset }]);
        return;
      }
    }
    Object.assign(assigned, { next: offset, started: false, moving: false });
  }

  private async depart(): Promise<void> {
    this.waitMs = WAIT_WHEN_LEAVING_MS;
    try {
      if (!(await fulfilledWithin(LEAVE_TIMEOUT_MS, this.giveUpEverything()))) this.logger.warn({}, 'leaving the group before the partitions were given up');
    } finally {
      await this.close();
    }
  }

  /** Reads on meanwhile, since acknowledgements of commits come with reading. */
  private async giveUpEverything(): Promise<void> {
    while (this.closing === undefined && this.rebalance.pending) await this.serve();
    const leads = new Set(this.subscribed);
    const owned = this.assignment.all().map(({ topic, partition }) => ({ topic, partition }));
    let open = true;
    const given = this.rebalance.giveUp(owned.filter(({ topic }) => leads.has(topic))).finally(() => {
      open = false;
    });
    this.assignment.silence(owned);
    given.catch(() => undefined);
    while (this.closing === undefined && open) await this.serve();
    await given;
  }

  private async serve(): Promise<void> {
    await this.turns
      .take(() => this.pass(1))
      .catch((error: unknown) => this.logger.warn({ error: messageOf(error) }, 'reading failed while leaving the group'));
  }

  /** Leaves the group, unless the member is static; only ever called once, as the client demands. */
  private async disconnect(): Promise<void> {
    this.rebalance.close();
    this.commits.end();
    await this.fetcher.detach();
    await this.loans.end();
    const done = promised<unknown>((callback) => this.consumer.disconnect(callback)).catch(() => undefined);
    if (!(await fulfilledWithin(DISCONNECT_TIMEOUT_MS, done))) this.logger.warn({}, 'the consumer did not close in time and is left behind');
    this.rebalance.end();
  }
}
