import { BrokerError, ConfigError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import type { TopicAdmin } from '../core/transport.js';

export type CleanupPolicy = 'compact' | 'delete' | 'compact,delete';

/** Configurations by topic, as far as the cluster tells them. */
export type TopicConfigs = ReadonlyMap<string, Readonly<Record<string, string>>>;

/** What a policy other than the wanted one does to a topic. */
const HARM: Readonly<Record<CleanupPolicy, string>> = {
  compact: 'the broker would remove values that the store still holds',
  delete: 'the broker would remove records that are not read yet',
  'compact,delete': 'the broker would remove values that the store still holds',
};

/**
 * Checks internal topics that were there already, by the policy that each must have (S3, S16): no other beside, but that `compact` will do for `compact,delete`.
 * Topics whose policy cannot be asked for are named in one warning.
 */
export async function checkPolicies(wanted: ReadonlyMap<string, CleanupPolicy>, admin: TopicAdmin, logger: Logger): Promise<TopicConfigs> {
  if (wanted.size === 0) return new Map();
  const there = (await admin.describe([...wanted.keys()])).map(({ name }) => name);
  const configs = (there.length === 0 ? undefined : await configsOf(there, admin)) ?? new Map();
  const unknown: string[] = [];
  for (const topic of there) {
    const policy = configs.get(topic)?.['cleanup.policy'];
    if (policy === undefined) unknown.push(topic);
    else checkPolicy(topic, policy, wanted.get(topic) as CleanupPolicy);
  }
  if (unknown.length > 0) {
    const topicsOf = (policy: CleanupPolicy): string[] => unknown.filter((topic) => wanted.get(topic)?.startsWith(policy));
    logger.warn(
      { compact: topicsOf('compact'), delete: topicsOf('delete') },
      'the configuration of internal topics cannot be read: make sure that the cleanup.policy of each is compact or delete, as listed',
    );
  }
  return configs;
}

/** A user who may not describe configurations can do all else. */
export async function configsOf(topics: readonly string[], admin: TopicAdmin): Promise<TopicConfigs | undefined> {
  try {
    return await admin.configs(topics);
  } catch (error) {
    if (error instanceof BrokerError) return undefined;
    throw error;
  }
}

function checkPolicy(topic: string, policy: string, wanted: CleanupPolicy): void {
  const policies = policy.split(',').map((one) => one.trim());
  const allowed = wanted.split(',');
  if (policies.includes(allowed[0] as string) && policies.every((one) => allowed.includes(one))) return;
  throw new ConfigError('topic/cleanup-policy', `the internal topic "${topic}" has cleanup.policy=${policy} in place of ${wanted}: ${HARM[wanted]}`, {
    fix: `kafka-configs.sh --bootstrap-server HOST:PORT --alter --entity-type topics --entity-name ${topic} --add-config cleanup.policy=${wanted}`,
  });
}
