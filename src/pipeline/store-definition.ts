import type { ChangelogDefinition, StoreDefinition } from '../core/store.js';
import type { ImpliedStore } from './step-stores.js';

/** S4: a position older than half of this may lie before tombstones that compaction has removed. */
const DELETE_RETENTION_MS = 7 * 24 * 60 * 60 * 1000;

/** A store as the topology knows it. */
export function storeDefinition(application: string, { name, engine, key, value, changelog, standby }: ImpliedStore): StoreDefinition {
  return { name, type: 'key-value', engine, key, value, changelog: changelog === false ? undefined : changelogOf(application, name, changelog), standby };
}

/** S3: compacted; what the file says wins. */
function changelogOf(application: string, store: string, options: ChangelogDefinition['config']): ChangelogDefinition {
  return {
    topic: `${application}-${store}-changelog`,
    config: { 'cleanup.policy': 'compact', 'delete.retention.ms': String(DELETE_RETENTION_MS), ...options },
  };
}
