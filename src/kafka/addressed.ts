import type { DeliveryError } from '../core/errors.js';
import { FIELDS, Field, type OutputBatch } from '../core/output-batch.js';
import type { StockClient } from './stock.js';
import { partitionsOf } from './topics.js';
import { unknownPartition, unknownTopic } from './transaction-errors.js';

/**
 * Where the records of a transaction go. Without delivery reports the client tells why the broker refused a record, but
 * not that it gave one up because its topic or partition does not exist; so that is looked up afterwards.
 */
export class Addressed {
  /** Largest partition that was asked for, by topic; −1 where the client's partitioner chose. */
  private readonly partitions = new Map<string, number>();

  note({ length, topics, fields }: OutputBatch): void {
    const largest = new Int32Array(topics.length).fill(-2);
    for (let row = 0, end = length * FIELDS; row < end; row += FIELDS) {
      const topic = fields[row] as number;
      const partition = fields[row + Field.partition] as number;
      if (partition > (largest[topic] as number)) largest[topic] = partition;
    }
    for (const [number, partition] of largest.entries()) {
      const topic = topics[number] as string;
      if (partition > (this.partitions.get(topic) ?? -2)) this.partitions.set(topic, partition);
    }
  }

  clear(): void {
    this.partitions.clear();
  }

  /** What does not exist; undefined when all of it does, or the broker does not say. */
  async missing(client: StockClient): Promise<DeliveryError | undefined> {
    for (const [topic, partition] of this.partitions) {
      const count = await partitionsOf(client, topic).catch(() => Number.POSITIVE_INFINITY);
      if (count === undefined) return unknownTopic(topic);
      if (partition >= count) return unknownPartition(topic, partition);
    }
    return undefined;
  }
}
