import { DeliveryError, FatalError, RetriableError } from '../core/errors.js';
import { headerBytes } from '../core/headers.js';
import { partitionForKey } from '../core/murmur2.js';
import type { OutputRecord } from '../core/output-batch.js';
import type { Isolation, TopicPartition } from '../core/transport.js';
import { MemoryGroup } from './memory-group.js';
import { MemoryTransactions, type OpenTransaction } from './memory-transactions.js';
import { type LogRecord, PartitionLog } from './partition-log.js';

export interface MemoryBrokerOptions {
  /** How long a read waits for a record, in real milliseconds; it returns as soon as one comes. */
  readonly readWaitMs?: number;
}

interface MemoryTopic {
  readonly id: string;
  readonly config: Readonly<Record<string, string>>;
  readonly logs: PartitionLog[];
  /** Where the next record without key or partition goes. */
  next: number;
  /** Largest record, in bytes of key, value and headers. */
  readonly maxRecordBytes: number;
}

/** What a topic has where it does not say otherwise. */
const DEFAULTS = { 'cleanup.policy': 'delete', 'retention.ms': '604800000', 'delete.retention.ms': '86400000' };

/** What a record is made of when a test writes it. */
export type TestRecordInit = Partial<Omit<OutputRecord, 'topic'>>;

/**
 * What the clients of an in-memory broker share: topics, consumer groups, and the faults that a test asks for. Records
 * without a key or partition go to the partitions in turn, where Kafka would choose at random.
 */
export class MemoryCluster {
  /** Largest record that clients accept (E2); a topic's `max.message.bytes` may be smaller. */
  maxRecordBytes = 1_000_000;
  readonly readWaitMs: number;
  readonly transactions = new MemoryTransactions(() => this.wake());
  private topicsMade = 0;
  private readonly topics = new Map<string, MemoryTopic>();
  private readonly groups = new Map<string, MemoryGroup>();
  private readonly reachableListeners: ((reachable: boolean) => void)[] = [];
  private readonly wakers = new Set<() => void>();
  private readonly commitFaults: Error[] = [];
  private readonly flushFaults: { error: Error; written: boolean }[] = [];
  private refused: (record: OutputRecord) => boolean = () => false;
  private up = true;

  constructor(options: MemoryBrokerOptions = {}) {
    this.readWaitMs = options.readWaitMs ?? 100;
  }

  onReachable(listener: (reachable: boolean) => void): void {
    this.reachableListeners.push(listener);
  }

  // — topics and records, for tests —

  /** A topic that exists stays as it is. */
  createTopic(name: string, partitions = 1, config: Readonly<Record<string, string>> = {}): void {
    if (this.topics.has(name)) return;
    const logs = Array.from({ length: partitions }, (_, partition) => new PartitionLog(name, partition));
    const maxRecordBytes = Number(config['max.message.bytes'] ?? Number.POSITIVE_INFINITY);
    this.topics.set(name, { id: `topic-id-${this.topicsMade++}`, config: { ...DEFAULTS, ...config }, logs, next: 0, maxRecordBytes });
    for (const group of this.groups.values()) group.rebalance();
  }

  /** With all its records; made again, it has another id. */
  deleteTopic(name: string): void {
    this.topics.delete(name);
    for (const group of this.groups.values()) group.rebalance();
    this.wake();
  }

  /** Makes a topic larger; partitions never go away. */
  growTopic(name: string, partitions: number): void {
    const { logs } = this.topic(name);
    while (logs.length < partitions) logs.push(new PartitionLog(name, logs.length));
    for (const group of this.groups.values()) group.rebalance();
  }

  /** Writes one record at once; timestamp 0 where none is given. Throws for an unknown topic or partition. */
  append(topic: string, record: TestRecordInit): LogRecord {
    const { partition, key = null, value = null, timestamp = 0, headers = [] } = record;
    const written = this.logFor(topic, partition, key).append({ key, value, timestamp, headers });
    this.wake();
    return written;
  }

  /** All records of a topic that a reader sees, partition by partition. */
  records(topic: string, isolation?: Isolation): (LogRecord & TopicPartition)[] {
    return this.topic(topic).logs.flatMap((log) => log.all(isolation).map((record) => ({ ...record, topic, partition: log.partition })));
  }

  topicNames(): string[] {
    return [...this.topics.keys()];
  }

  /** 0 for a topic that does not exist. */
  partitionCount(topic: string): number {
    return this.topics.get(topic)?.logs.length ?? 0;
  }

  topicId(topic: string): string {
    return this.topic(topic).id;
  }

  topicConfig(topic: string): Readonly<Record<string, string>> {
    return this.topic(topic).config;
  }

  log({ topic, partition }: TopicPartition): PartitionLog {
    const log = this.topic(topic).logs[partition];
    if (log) return log;
    throw new DeliveryError('broker/unknown-partition', `${topic}: the topic has no partition ${partition}`);
  }

  group(groupId: string): MemoryGroup {
    let group = this.groups.get(groupId);
    if (!group) {
      group = new MemoryGroup(groupId, (topic) => this.partitionCount(topic));
      this.groups.set(groupId, group);
    }
    return group;
  }

  // — faults —

  /** While false, reads give nothing, flushes wait, and everything else rejects with a RetriableError. */
  setReachable(reachable: boolean): void {
    if (this.up === reachable) return;
    this.up = reachable;
    for (const listener of this.reachableListeners) listener(reachable);
    this.wake();
  }

  get reachable(): boolean {
    return this.up;
  }

  /** The next commit of any member rejects with this; called again, the one after it too. */
  failNextCommit(error: Error): void {
    this.commitFaults.push(error);
  }

  /** The next flush that has records rejects with this; `written`: they are in the topic all the same. */
  failNextFlush(error: Error, { written = false } = {}): void {
    this.flushFaults.push({ error, written });
  }

  /** From now on the broker refuses these records: their flush rejects with a DeliveryError. */
  refuse(records: (record: OutputRecord) => boolean): void {
    this.refused = records;
  }

  // — for the clients —

  checkReachable(action: string): void {
    if (!this.up) throw new RetriableError('broker/unavailable', `${action}: the broker cannot be reached`);
  }

  takeCommitFault(): Error | undefined {
    return this.commitFaults.shift();
  }

  takeFlushFault(): { error: Error; written: boolean } | undefined {
    return this.flushFaults.shift();
  }

  /** Writes what a sink has queued; what the broker refuses is left out and the first of it told. */
  write(records: readonly OutputRecord[], transaction?: OpenTransaction): DeliveryError | undefined {
    let first: DeliveryError | undefined;
    for (const record of records) {
      const refusal = this.refusalOf(record);
      if (refusal) first ??= refusal;
      else {
        const log = this.logFor(record.topic, record.partition, record.key);
        log.append(record, transaction);
        transaction?.wrote(log);
      }
    }
    this.wake();
    return first;
  }

  /** Calls back at whatever may change what a read gives; returns the function that ends it. */
  onChange(waker: () => void): () => void {
    this.wakers.add(waker);
    return () => this.wakers.delete(waker);
  }

  /** Resolves at the next such change. */
  change(): Promise<void> {
    return new Promise((resolve) => {
      const end = this.onChange(() => {
        end();
        resolve();
      });
    });
  }

  private wake(): void {
    for (const waker of [...this.wakers]) waker();
  }

  private refusalOf(record: OutputRecord): DeliveryError | undefined {
    const topic = this.topics.get(record.topic);
    if (!topic) return new DeliveryError('broker/unknown-topic', `${record.topic}: the topic does not exist`);
    if (record.partition !== undefined && !topic.logs[record.partition]) {
      return new DeliveryError('broker/unknown-partition', `${record.topic}: the topic has no partition ${record.partition}`);
    }
    if (sizeOf(record) > topic.maxRecordBytes) return new DeliveryError('broker/record-too-large', `${record.topic}: the record is larger than allowed`);
    if (this.refused(record)) return new DeliveryError('broker/record-refused', `${record.topic}: the broker refuses the record`);
    return undefined;
  }

  private logFor(topic: string, partition: number | undefined, key: Buffer | null): PartitionLog {
    if (partition !== undefined) return this.log({ topic, partition });
    const found = this.topic(topic);
    const chosen = key === null ? found.next++ % found.logs.length : partitionForKey(key, found.logs.length);
    return this.log({ topic, partition: chosen });
  }

  private topic(name: string): MemoryTopic {
    const topic = this.topics.get(name);
    if (topic) return topic;
    throw new FatalError('broker/unknown-topic', `${name}: the topic does not exist`);
  }
}

/** Bytes of key, value and headers. */
export function sizeOf({ key, value, headers }: OutputRecord): number {
  return (key?.length ?? 0) + (value?.length ?? 0) + headerBytes(headers);
}
