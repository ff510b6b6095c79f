import type { TopicAdmin } from '../../core/transport.js';

const HOUR_MS = 3_600_000;

/**
 * Only the last entry of each instance counts, and all of the topic is read when an instance starts: so small segments, soon
 * compacted, keep it short. Entries that nobody renewed for a day are of instances that died and never came
 * back; `delete` removes them, which compaction alone never would. Live ones are renewed every few seconds.
 */
const CONFIG = {
  'cleanup.policy': 'compact,delete',
  'segment.bytes': String(1024 * 1024),
  'segment.ms': String(HOUR_MS),
  'min.cleanable.dirty.ratio': '0.1',
  'delete.retention.ms': String(HOUR_MS),
  'retention.ms': String(24 * HOUR_MS),
};

/** The topic in which the instances of an application tell of themselves; all of it is in partition 0. */
export function instancesTopic(application: string): string {
  return `${application}-instances`;
}

/** Creates it when it is missing. */
export async function openInstancesTopic(application: string, admin: Pick<TopicAdmin, 'describe' | 'create'>): Promise<string> {
  const topic = instancesTopic(application);
  const [existing] = await admin.describe([topic]);
  if (!existing) await admin.create({ name: topic, partitions: 1, config: CONFIG });
  return topic;
}
