import { OffsetOutOfRangeError } from '../core/errors.js';
import { partitionKey, type TopicPartition } from '../core/transport.js';
import { type AssignedPartition, type Assignment, isLive } from './assignment.js';

/** A partition that has not moved for so long is looked into, in milliseconds; and again after as long. */
const STILL_FOR_MS = 5_000;
/** How often positions are compared, in milliseconds. */
const COMPARE_EVERY_MS = 500;

interface Broker {
  watermarks(tp: TopicPartition): Promise<{ low: number; high: number }>;
  cachedEnd(tp: TopicPartition): number | undefined;
  /** Fetches a partition anew from its position. */
  restart(partition: AssignedPartition): Promise<void>;
}

/**
 * The client drops an error that comes behind a record in the same consume call, and then is silent about that
 * partition for ever. So partitions that stand still although they have not reached their known end are compared
 * with what the broker holds: an offset out of range is reported, any other stall is fetched anew.
 */
export class StallWatch {
  /** Where each partition stands, and since when. */
  private standing = new Map<string, { readonly next: number; readonly since: number }>();
  private comparedAt = 0;
  private found: OffsetOutOfRangeError | undefined;
  private looking = false;

  constructor(
    private readonly assignment: Assignment,
    private readonly broker: Broker,
    private readonly stillForMs: number = STILL_FOR_MS,
  ) {}

  /** Call when a read came back short. */
  check(now = performance.now()): void {
    if (now - this.comparedAt < Math.min(COMPARE_EVERY_MS, this.stillForMs)) return;
    this.comparedAt = now;
    const before = this.standing;
    this.standing = new Map();
    const still: AssignedPartition[] = [];
    for (const partition of this.partitions()) {
      const key = partitionKey(partition);
      const known = before.get(key);
      const since = known?.next === partition.next ? known.since : now;
      const due = since < now && now - since >= this.stillForMs;
      if (due) still.push(partition);
      this.standing.set(key, { next: partition.next, since: due ? now : since });
    }
    if (still.length > 0) void this.lookInto(still);
  }

  /** Throws what a check has found. */
  tell(): void {
    const found = this.found;
    this.found = undefined;
    if (found !== undefined && this.assignment.get(found.at)?.next === found.at.offset) throw found;
  }

  /** The client reports an offset out of range, but not where: throws the error that says it. */
  async find(): Promise<void> {
    await this.compare(this.partitions());
    this.tell();
  }

  /** Those that may have more to read than they know. */
  private partitions(): AssignedPartition[] {
    return this.assignment.all().filter((tp) => isLive(tp) && !this.assignment.isPaused(tp) && this.broker.cachedEnd(tp) !== tp.next);
  }

  private async lookInto(partitions: readonly AssignedPartition[]): Promise<void> {
    if (this.looking) return;
    this.looking = true;
    for (const partition of await this.compare(partitions)) await this.broker.restart(partition).catch(() => undefined);
    this.looking = false;
  }

  /** Notes an offset out of range; returns the partitions that have more to read. */
  private async compare(partitions: readonly AssignedPartition[]): Promise<AssignedPartition[]> {
    const behind: AssignedPartition[] = [];
    for (const partition of partitions) {
      const { topic, next } = partition;
      const held = await this.broker.watermarks(partition).catch(() => undefined);
      if (held === undefined || partition.next !== next) continue;
      if (next < held.low || next > held.high)
        this.found = new OffsetOutOfRangeError({ topic, partition: partition.partition, offset: next }, held.low, held.high);
      else if (next < held.high) behind.push(partition);
    }
    return behind;
  }
}
