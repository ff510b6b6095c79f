import type { ChangelogDefinition, StoreDefinition } from '../core/store.js';
import type { TableSpec } from './model.js';
import type { ImpliedStore } from './step-stores.js';

const DAY_MS = 24 * 60 * 60 * 1000;
/** S4: a position older than half of this may lie before tombstones that compaction has removed. */
const DELETE_RETENTION_MS = 7 * DAY_MS;

/** A store as the topology knows it. */
export function storeDefinition(application: string, store: ImpliedStore): StoreDefinition {
  const { name, type, ttlMs, historyMs, retentionMs, windowSizeMs, engine, key, value, changelog, standby, unlogged } = store;
  const times = { ...(ttlMs !== undefined && { ttlMs }), ...(historyMs !== undefined && { historyMs }), ...(retentionMs !== undefined && { retentionMs }) };
  const definition = { name, type, ...times, ...(windowSizeMs !== undefined && { windowSizeMs }), engine, key, value, standby };
  const rows = unlogged === undefined ? {} : { unlogged };
  return { ...definition, ...rows, changelog: changelog === false ? undefined : changelogOf(application, store, changelog) };
}

/** A local table as the topology knows it: its topic is its changelog (S5). */
export function tableDefinition({ name, type, historyMs, engine, standby, input: { topic, key, value } }: TableSpec): StoreDefinition {
  return { name, type, ...(historyMs !== undefined && { historyMs }), engine, key, value, standby, changelog: { topic, config: {} }, table: true };
}

/** S3: compacted, and times are those that stores give their records; what the file says wins. */
function changelogOf(application: string, store: ImpliedStore, options: ChangelogDefinition['config']): ChangelogDefinition {
  return {
    topic: `${application}-${store.name}-changelog`,
    config: {
      'cleanup.policy': 'compact',
      'message.timestamp.type': 'CreateTime',
      'delete.retention.ms': String(DELETE_RETENTION_MS),
      ...configOf(store),
      ...options,
    },
  };
}

/** What lasts no longer than a time goes a day after it; what a version is still needed for is not compacted before that. */
function configOf({ type, historyMs = 0, retentionMs = 0 }: ImpliedStore): ChangelogDefinition['config'] {
  if (type === 'versioned') return { 'min.compaction.lag.ms': String(historyMs + DAY_MS) };
  if (type === 'window' || type === 'session') return { 'cleanup.policy': 'compact,delete', 'retention.ms': String(retentionMs + DAY_MS) };
  return {};
}
