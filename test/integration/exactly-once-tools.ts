import { readCounts } from './counting.js';
import type { KafkaData } from './kafka-data.js';

export type Guarantee = 'exactly-once' | 'at-least-once';

/** A pipeline that counts by key, one output for each record; the changelog's topic is `<name>-main-count-changelog`. */
export function countingUnder(guarantee: Guarantee, name: string, brokers: string, from: string, to: string, more = ''): string {
  return `name: ${name}
kafka: ${brokers}
guarantee: ${guarantee}
from: { topic: ${from}, value: bytes }
steps:
  - count:
    emit: update
to: { topic: ${to}, value: int64 }
${more}`;
}

/** As `readCounts`, of what is committed; the marker of a transaction at the end of a partition would hide where that is, so a record follows. */
export async function committedCounts(kafka: KafkaData, topic: string, keys: number): Promise<Awaited<ReturnType<typeof readCounts>>> {
  const partitions = await kafka.partitions(topic);
  await kafka.produce(
    topic,
    Array.from({ length: partitions }, (_, partition) => ({ key: 'end', value: Buffer.alloc(8), partition })),
  );
  const counts = await readCounts(kafka, topic, keys);
  return { ...counts, records: counts.records - partitions };
}
