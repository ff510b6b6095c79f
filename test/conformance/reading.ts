import { setTimeout as delay } from 'node:timers/promises';
import type { Headers } from '../../src/core/headers.js';
import type { OutputRecord } from '../../src/core/output-batch.js';
import type { RawBatch } from '../../src/core/raw-batch.js';
import type { CommittedOffset, GroupListener, GroupMember, PartitionReader, TopicPartition } from '../../src/core/transport.js';

/** A record as it was read. */
export interface ReadRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Headers;
}

/** Looked at without a pause. */
const TURNS = 200;
/** How long a rebalance may keep a commit from being taken. */
const COMMIT_PATIENCE_MS = 20_000;

/** Reads in a loop, as the engine does, and keeps what came. */
export class Reading {
  readonly records: ReadRecord[] = [];
  /** Each batch that was read. */
  readonly batches: RawBatch[] = [];
  /** Reads that have come back. */
  turns = 0;
  private stopped = false;
  private readonly loop: Promise<void>;

  constructor(
    readonly reader: PartitionReader,
    private readonly max = 1_000,
    private readonly onRecord: (record: ReadRecord) => void = () => {},
  ) {
    this.loop = this.run();
    this.loop.catch(() => {}); // told by `until` and `stop`
  }

  /** Waits until the condition holds; rejects when a read did. */
  async until(condition: () => boolean): Promise<void> {
    let failure: unknown;
    this.loop.catch((error: unknown) => {
      failure = error;
    });
    for (let looks = 0; !condition(); looks++) {
      // A broker in memory answers within a few turns; one that needs longer gets the processor meanwhile.
      await (looks < TURNS ? new Promise(setImmediate) : delay(1));
      if (failure !== undefined) throw failure;
    }
  }

  /** Resolves when `n` further reads have begun and ended. */
  async furtherReads(n: number): Promise<void> {
    const from = this.turns + 1;
    await this.until(() => this.turns >= from + n);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.loop;
  }

  values(): string[] {
    return this.records.map(({ value }) => String(value));
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      const { batches } = await this.reader.read(this.max);
      for (const batch of batches) this.take(batch);
      this.turns++;
      await new Promise(setImmediate);
    }
  }

  private take(batch: RawBatch): void {
    this.batches.push(batch);
    for (let i = 0; i < batch.length; i++) {
      const record: ReadRecord = {
        topic: batch.topic,
        partition: batch.partition,
        offset: batch.offsetAt(i),
        timestamp: batch.timestampAt(i),
        key: batch.keyAt(i),
        value: batch.valueAt(i),
        headers: batch.headersAt(i),
      };
      this.records.push(record);
      this.onRecord(record);
    }
  }
}

/** A record to send, with what the test leaves out filled in. */
export function output(record: Partial<OutputRecord> & { topic: string }): OutputRecord {
  return { partition: undefined, key: null, value: null, timestamp: 1_700_000_000_000, headers: [], ...record };
}

let names = 0;

/** A name that no other test and no other run uses. */
export function unique(prefix: string): string {
  return `${prefix}-${Date.now().toString(36)}-${process.pid}-${names++}`;
}

/**
 * A member that counts: it owns the lead's partitions together with the same partitions of the companions, reads
 * each from its committed offset, and commits when it gives them up.
 */
export class CountingMember implements GroupListener {
  readonly owned = new Set<number>();
  readonly reading: Reading;
  /** Every set of lead partitions that was revoked. */
  readonly revoked: number[][] = [];
  private readonly next = new Map<string, number>();

  constructor(
    readonly member: GroupMember,
    reader: PartitionReader,
    private readonly topics: readonly [lead: string, ...companions: string[]],
    onRecord: (record: ReadRecord) => void = () => {},
  ) {
    this.reading = new Reading(reader, 100, (record) => {
      this.next.set(`${record.topic}-${record.partition}`, record.offset + 1);
      onRecord(record);
    });
  }

  join(): Promise<void> {
    return this.member.join([this.topics[0]], this);
  }

  async onAssigned(partitions: readonly TopicPartition[]): Promise<void> {
    const all = this.together(partitions);
    const committed = new Map((await this.member.committed(all)).map((at) => [`${at.topic}-${at.partition}`, at.offset]));
    this.reading.reader.assign(all.map((tp) => ({ ...tp, offset: committed.get(`${tp.topic}-${tp.partition}`) ?? 0 })));
    for (const { partition } of partitions) this.owned.add(partition);
  }

  async onRevoked(partitions: readonly TopicPartition[]): Promise<void> {
    this.revoked.push(partitions.map(({ partition }) => partition));
    const all = this.together(partitions);
    this.reading.reader.unassign(all);
    await this.commitUntilTaken(all);
    for (const { partition } of partitions) this.owned.delete(partition);
    for (const tp of all) this.next.delete(`${tp.topic}-${tp.partition}`);
  }

  async onLost(partitions: readonly TopicPartition[]): Promise<void> {
    this.reading.reader.unassign(this.together(partitions));
    for (const { partition } of partitions) this.owned.delete(partition);
  }

  private together(partitions: readonly TopicPartition[]): TopicPartition[] {
    return this.topics.flatMap((topic) => partitions.map(({ partition }) => ({ topic, partition })));
  }

  /** A commit may meet a rebalance: the same offsets are committed again. */
  private async commitUntilTaken(partitions: readonly TopicPartition[]): Promise<void> {
    const offsets = partitions.flatMap((tp): CommittedOffset[] => {
      const offset = this.next.get(`${tp.topic}-${tp.partition}`);
      return offset === undefined ? [] : [{ ...tp, offset, metadata: '' }];
    });
    for (const giveUp = performance.now() + COMMIT_PATIENCE_MS; ; ) {
      try {
        return await this.member.commit(offsets);
      } catch (error) {
        if (performance.now() > giveUp) throw error;
        await delay(10);
      }
    }
  }
}
