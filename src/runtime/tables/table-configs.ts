import type { Logger } from '../../core/logger.js';
import type { TopicAdmin } from '../../core/transport.js';
import type { Topology } from '../../topology/topology.js';
import { configsOf, type TopicConfigs } from '../cleanup-policies.js';

/**
 * Configurations of the topics of tables. They are others' topics, so no policy is demanded: one warning names those that are not
 * compacted, whose tables lose on a new machine what retention has removed by then.
 */
export async function tableConfigs({ stores }: Topology, admin: TopicAdmin, logger: Logger): Promise<TopicConfigs> {
  const topics = [...stores.values()].flatMap(({ table, changelog }) => (table && changelog ? [changelog.topic] : []));
  if (topics.length === 0) return new Map();
  const configs = (await configsOf(topics, admin)) ?? new Map();
  const other = topics.filter((topic) => !(configs.get(topic)?.['cleanup.policy'] ?? 'compact').includes('compact'));
  if (other.length > 0) {
    logger.warn({ topics: other }, 'these topics of tables are not compacted: a table that is built anew lacks what their retention has removed by then');
  }
  return configs;
}
