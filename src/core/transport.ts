import type { MaybePromise } from './maybe.js';
import type { OutputBatch } from './output-batch.js';
import type { RawBatch } from './raw-batch.js';

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

export interface PartitionOffset extends TopicPartition {
  /** The next offset to read or process. */
  readonly offset: number;
}

/** An offset as the group keeps it, with the metadata committed beside it. */
export interface CommittedOffset extends PartitionOffset {
  readonly metadata: string;
}

/** `topic-partition`, the key under which maps hold things of a partition, and how messages name one. */
export function partitionKey(tp: TopicPartition): string {
  return `${tp.topic}-${tp.partition}`;
}

/** What a group member tells its owner. The partitions are those of the subscribed topics only. */
export interface GroupListener {
  /** Give positions to the reader for these and whatever goes with them; reading starts when this resolves. */
  onAssigned(partitions: readonly TopicPartition[]): Promise<void>;
  /** Finish and commit what was processed; the partitions are given up when this resolves (C5). */
  onRevoked(partitions: readonly TopicPartition[]): Promise<void>;
  /** They already belong to somebody else: drop them, never commit (C5). */
  onLost(partitions: readonly TopicPartition[]): Promise<void>;
}

/**
 * Membership of a consumer group. Events are delivered while the reader of the same client is being read,
 * so keep reading while a commit or a rebalance is under way.
 */
export interface GroupMember {
  /** Subscribes with the cooperative-sticky assignor. */
  join(topics: readonly string[], listener: GroupListener): Promise<void>;
  /** Resolves when the broker has acknowledged; rejects with RetriableError or TaskMigratedError otherwise. */
  commit(offsets: readonly CommittedOffset[]): Promise<void>;
  /** What the group has committed; partitions without an offset are left out. */
  committed(partitions: readonly TopicPartition[]): Promise<CommittedOffset[]>;
  /** Gives up all partitions through the listener and leaves the group. */
  leave(): Promise<void>;
}

export interface ReadResult {
  /** One batch per run of a partition's records, each in offset order. */
  readonly batches: readonly RawBatch[];
  /** Fewer records came than were asked for: nothing more was there at once. */
  readonly drained: boolean;
}

/** Reads assigned partitions. One read is under way at a time. */
export interface PartitionReader {
  assign(positions: readonly PartitionOffset[]): void;
  /** No record of these partitions is returned by any read that begins after this. */
  unassign(partitions: readonly TopicPartition[]): void;
  /** Moves assigned partitions; records of the old position are never returned after it resolves. */
  seek(positions: readonly PartitionOffset[]): Promise<void>;
  pause(partitions: readonly TopicPartition[]): void;
  resume(partitions: readonly TopicPartition[]): void;
  /** Up to `max` records; waits a short while when there are none, then resolves empty. */
  read(max: number): Promise<ReadResult>;
  /** The offset after the last record handed out, past transaction markers; undefined before the first (B5). */
  position(partition: TopicPartition): number | undefined;
  /** First offset held by the broker and the one after the last; asks the broker. */
  watermarks(partition: TopicPartition): Promise<{ low: number; high: number }>;
  /** Offset of the first record at or after a time in epoch milliseconds; the log end when there is none. */
  offsetForTime(partition: TopicPartition, timestamp: number): Promise<number>;
  /** The log end as the last fetch told it, free of cost; undefined when unknown. */
  cachedEnd(partition: TopicPartition): number | undefined;
  close(): Promise<void>;
}

/** What a reader sees of open and aborted transactions. */
export type Isolation = 'read_committed' | 'read_uncommitted';

/**
 * The transactions of a sink (C3). One is open from the first `send` until `commit` or `abort`; nothing that was sent is
 * seen by readers of committed records before.
 */
export interface Transaction {
  /** When the open transaction began, by `performance.now()`; undefined when none is open. */
  readonly since: number | undefined;
  /** Milliseconds after which the broker aborts an open transaction. */
  readonly timeoutMs: number;
  /**
   * Makes what was sent and the offsets visible in one step; `member` is the one whose group owns the offsets, of the
   * same transport. Rejects with a RetriableError (`broker/transaction-aborted`) when the transaction was aborted:
   * nothing of it is or will be visible; with a TaskMigratedError (`broker/producer-fenced`) when another instance took
   * the id over: this sink is of no more use.
   */
  commit(offsets: readonly CommittedOffset[], member: GroupMember): Promise<void>;
  /** Nothing of what was sent will be visible. Rejects with a TaskMigratedError when fenced. */
  abort(): Promise<void>;
}

/** The way out. A cycle sends, then flushes; only what a flush confirmed may be committed (C1, C2). */
export interface Sink {
  /**
   * Queues the records in order. The batch belongs to the sink from here on; what comes back is an empty one to fill
   * next, at once or, when the queue is full, as soon as there is room.
   */
  send(outputs: OutputBatch): MaybePromise<OutputBatch>;
  /** Resolves when all that was sent is acknowledged; rejects with a DeliveryError when any of it is not. */
  flush(): Promise<void>;
  /** Largest record, in bytes of key, value and headers, that the client accepts (E2). */
  readonly maxRecordBytes: number;
  /** Of a sink that was made with a transactional id. */
  readonly transaction?: Transaction | undefined;
  close(): Promise<void>;
}

export interface SinkOptions {
  /** Fences whoever used the id before, and makes everything transactional (C3). */
  readonly transactionalId?: string | undefined;
  /** How long the broker lets a transaction stay open; a minute unless told. */
  readonly transactionTimeoutMs?: number | undefined;
}

export interface TopicDescription {
  readonly name: string;
  readonly partitions: number;
}

/** What is known of a log's end: open transactions count. */
export interface LogEnd extends PartitionOffset {
  /** Tells a topic from an earlier one of the same name; undefined where the cluster does not say. */
  readonly topicId: string | undefined;
}

/** What the daemon asks of a cluster beside records. */
export interface TopicAdmin {
  /** Topics that do not exist are left out. */
  describe(topics: readonly string[]): Promise<TopicDescription[]>;
  /** Resolves when the topic is there, also when another instance was first. */
  create(topic: { name: string; partitions: number; config: Readonly<Record<string, string>> }): Promise<void>;
  /** Ends of logs as a read_uncommitted client sees them (S4). Rejects with a BrokerError for what does not exist. */
  logEnds(partitions: readonly TopicPartition[]): Promise<LogEnd[]>;
  /** Configurations by topic; undefined where this client cannot ask for them (S16). */
  configs(topics: readonly string[]): Promise<ReadonlyMap<string, Readonly<Record<string, string>>> | undefined>;
  /** Removes records below the offsets (S16). */
  deleteRecordsBefore(offsets: readonly PartitionOffset[]): Promise<void>;
  close(): Promise<void>;
}

/** A cluster connection: makes the clients a worker needs. `kafka/` and `testing/` each have one. */
export interface Transport {
  /** A member and the reader that shares its client. */
  member(options: { groupId: string; instanceId?: string | undefined }): Promise<{ member: GroupMember; reader: PartitionReader }>;
  /** A reader of its own, without a group: for restore and standby. */
  reader(options: { isolation: Isolation }): Promise<PartitionReader>;
  sink(options?: SinkOptions): Promise<Sink>;
  admin(): Promise<TopicAdmin>;
  /** Tells when the cluster goes away (false) and comes back (true). */
  onReachable(listener: (reachable: boolean) => void): void;
}
