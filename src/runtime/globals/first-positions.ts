import type { StoredPosition } from '../../core/store.js';
import { partitionKey, type TopicAdmin, type TopicPartition } from '../../core/transport.js';
import type { ChangelogReader } from '../restore/changelog-reader.js';
import type { RebuildReason } from '../restore/starting-point.js';
import type { TableStore } from './table-store.js';

/** Why what is stored of a table is of no use, before its topic is looked at; undefined when that has to tell. */
export async function objection(store: TableStore, table: string, topic: string, partitions: number): Promise<RebuildReason | undefined> {
  const positions = store.positions();
  if (positions.some((position) => position.topic !== topic || position.partition >= partitions)) return 'other-topic';
  // Left behind where a copy ended in the knowledge that its topic had lost records.
  if (positions.some(({ offset }) => offset < 0)) return 'out-of-range';
  return positions.length === 0 && !(await isEmpty(store, table)) ? 'no-position' : undefined;
}

/**
 * Positions at the start of partitions that the table has none of, to be stored before any is copied: rows that another
 * partition brings meanwhile are then not taken for rows of an unknown origin.
 */
export async function firstPositions(
  partitions: readonly TopicPartition[],
  reader: ChangelogReader,
  admin: Pick<TopicAdmin, 'logEnds'>,
  now: number,
): Promise<StoredPosition[]> {
  const ends = new Map((await admin.logEnds(partitions)).map((end) => [partitionKey(end), end]));
  return Promise.all(
    partitions.map(async (partition): Promise<StoredPosition> => {
      const { low } = await reader.watermarks(partition);
      return { topic: partition.topic, partition: partition.partition, offset: low, time: now, topicId: ends.get(partitionKey(partition))?.topicId };
    }),
  );
}

async function isEmpty(store: TableStore, table: string): Promise<boolean> {
  const scan = store.store(table).scan({ limit: 1 });
  try {
    return (await scan.next()).length === 0;
  } finally {
    await scan.close();
  }
}
