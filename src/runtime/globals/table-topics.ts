import { ConfigError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import type { GlobalTableDefinition } from '../../core/store.js';
import type { TopicAdmin } from '../../core/transport.js';
import { configsOf } from '../cleanup-policies.js';
import type { ChangelogReader } from '../restore/changelog-reader.js';

/** A broker's own `delete.retention.ms`, for a topic that does not say and where it cannot be asked for. */
const ONE_DAY_MS = 86_400_000;

/** Partitions of the tables' topics, by topic. Throws a ConfigError for one that does not exist. */
export async function countPartitions(definitions: Iterable<GlobalTableDefinition>, admin: Pick<TopicAdmin, 'describe'>): Promise<Map<string, number>> {
  const tables = [...definitions];
  const described = await admin.describe([...new Set(tables.map(({ topic }) => topic))]);
  const counts = new Map(described.map(({ name, partitions }) => [name, partitions]));
  const lost = tables.find(({ topic }) => !counts.has(topic));
  if (lost === undefined) return counts;
  throw new ConfigError('topic/missing', `the topic "${lost.topic}" of the global table "${lost.name}" does not exist`, {
    fix: `correct the name, or create the topic: kafka-topics.sh --bootstrap-server HOST:PORT --create --topic ${lost.topic} --partitions N --config cleanup.policy=compact`,
  });
}

/** How long deletions stay in the topic. Warns of a topic whose broker removes values that the table goes on holding. */
export async function deleteRetention({ topic }: GlobalTableDefinition, admin: TopicAdmin, logger: Logger): Promise<number> {
  const config = (await configsOf([topic], admin))?.get(topic);
  const policy = config?.['cleanup.policy'];
  if (policy !== undefined && policy.trim() !== 'compact') {
    logger.warn(
      { topic, policy },
      'the topic of a global table should have cleanup.policy=compact: what retention removes stays in the table until it is built anew',
    );
  }
  const told = Number(config?.['delete.retention.ms']);
  return Number.isFinite(told) && config !== undefined ? told : ONE_DAY_MS;
}

/** Ends of logs as a reader of committed records gets to them: what an open transaction holds is no part of a table yet. */
export function readableEnds(admin: Pick<TopicAdmin, 'logEnds'>, reader: ChangelogReader): Pick<TopicAdmin, 'logEnds'> {
  return {
    logEnds: async (partitions) => {
      const ends = await admin.logEnds(partitions);
      return Promise.all(ends.map(async (end) => ({ ...end, offset: Math.min(end.offset, (await reader.watermarks(end)).high) })));
    },
  };
}
