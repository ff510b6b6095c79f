import { setTimeout } from 'node:timers/promises';
import { ConfigError, KstreamdError, RetriableError } from '../core/errors.js';
import type { StoreDefinition } from '../core/store.js';
import type { LogEnd, TopicAdmin } from '../core/transport.js';
import type { TopicConfigs } from './cleanup-policies.js';
import { createInternalTopic } from './internal-topics.js';

/** The changelog of a store as it lies on the cluster (S3). */
export interface ChangelogTopic {
  readonly store: string;
  readonly topic: string;
  /** As many as the lead topic of its sub-topology has: a task writes to the partition of its own number. */
  readonly partitions: number;
  /** The lead topic. */
  readonly input: string;
  /** Tells the topic from an earlier one of its name; undefined where the cluster does not say. */
  readonly topicId: string | undefined;
  /** How long it keeps tombstones, in milliseconds (S4). */
  readonly deleteRetentionMs: number;
  /** It was not there before this plan. */
  readonly created: boolean;
  /** It is a table's topic, an input that others write: nothing goes into it from here (S5). */
  readonly table?: boolean | undefined;
}

/** A store that is to have a changelog beside the partitions of its input. */
export interface WantedChangelog {
  readonly store: StoreDefinition & { readonly changelog: NonNullable<StoreDefinition['changelog']> };
  readonly input: string;
  readonly partitions: number;
}

/** Kafka's default of `delete.retention.ms`. */
const DELETE_RETENTION_MS = 86_400_000;
/** A topic is not known to every broker at once. */
const APPEARS_WITHIN_MS = 10_000;
const APPEAR_POLL_MS = 100;

/**
 * Creates the changelogs that are missing and checks those that are there, in the order given. Throws a ConfigError for
 * a wrong number of partitions or a policy that removes state; `configs` are of topics that were there already.
 */
export async function openChangelogs(wanted: readonly WantedChangelog[], configs: TopicConfigs, admin: TopicAdmin): Promise<ChangelogTopic[]> {
  if (wanted.length === 0) return [];
  const there = await partitionsOf(wanted.map(topicOf), admin);
  for (const one of wanted) checkPartitions({ ...one.store, topic: topicOf(one) }, there.get(topicOf(one)) ?? one.partitions, one.input, one.partitions);
  for (const one of wanted) {
    const { topic, config } = one.store.changelog;
    if (!there.has(topic)) await createInternalTopic(admin, topic, one.partitions, config);
  }
  const ids = await appearedIds(wanted.map(topicOf), admin);
  return wanted.map((one) => {
    const { topic, config } = one.store.changelog;
    const retention = configs.get(topic)?.['delete.retention.ms'] ?? config['delete.retention.ms'] ?? DELETE_RETENTION_MS;
    return {
      store: one.store.name,
      topic,
      partitions: one.partitions,
      input: one.input,
      topicId: ids.get(topic),
      deleteRetentionMs: one.store.table && isKept(configs.get(topic)) ? Number.POSITIVE_INFINITY : Number(retention),
      created: !there.has(topic),
      table: one.store.table,
    };
  });
}

/** Deletions in a topic that is not compacted go no sooner than what they delete. */
function isKept(config: Readonly<Record<string, string>> | undefined): boolean {
  const policy = config?.['cleanup.policy'];
  return policy !== undefined && !policy.includes('compact');
}

/** Throws when a changelog was deleted or made again since it was opened, or no longer has the partitions of its input. */
export async function checkChangelogs(opened: readonly ChangelogTopic[], inputPartitions: (input: string) => number, admin: TopicAdmin): Promise<void> {
  if (opened.length === 0) return;
  const topics = opened.map(({ topic }) => topic);
  const there = await partitionsOf(topics, admin);
  for (const one of opened) {
    const now = there.get(one.topic);
    if (now === undefined) throw recreated(one, 'was deleted');
    checkPartitions({ ...one, name: one.store }, now, one.input, Math.max(one.partitions, inputPartitions(one.input)));
  }
  const ends = await admin.logEnds(topics.map((topic) => ({ topic, partition: 0 }))).catch((error: unknown) => {
    if (isUnknownTopic(error)) return []; // deleted since it was described: the next check says so
    throw error;
  });
  checkEnds(opened, ends);
}

/** Throws when an end is that of another topic of the name than the one that was opened. */
export function checkEnds(opened: readonly Pick<ChangelogTopic, 'store' | 'topic' | 'topicId' | 'table'>[], ends: readonly LogEnd[]): void {
  const ids = new Map(ends.map(({ topic, topicId }) => [topic, topicId]));
  for (const one of opened) {
    const now = ids.get(one.topic);
    if (one.topicId !== undefined && now !== undefined && now !== one.topicId) throw recreated(one, 'was deleted and made again');
  }
}

function topicOf({ store }: WantedChangelog): string {
  return store.changelog.topic;
}

async function partitionsOf(topics: readonly string[], admin: TopicAdmin): Promise<Map<string, number>> {
  return new Map((await admin.describe(topics)).map(({ name, partitions }) => [name, partitions]));
}

async function idsOf(topics: readonly string[], admin: TopicAdmin): Promise<Map<string, string>> {
  const ends = await admin.logEnds(topics.map((topic) => ({ topic, partition: 0 })));
  return new Map(ends.flatMap(({ topic, topicId }) => (topicId === undefined ? [] : [[topic, topicId]])));
}

/** Asks again while a topic that was just made is not known everywhere. */
async function appearedIds(topics: readonly string[], admin: TopicAdmin): Promise<Map<string, string>> {
  const until = performance.now() + APPEARS_WITHIN_MS;
  for (;;) {
    try {
      return await idsOf(topics, admin);
    } catch (error) {
      if (!(error instanceof RetriableError || isUnknownTopic(error)) || performance.now() > until) throw error;
    }
    await setTimeout(APPEAR_POLL_MS);
  }
}

function isUnknownTopic(error: unknown): boolean {
  return error instanceof KstreamdError && error.code === 'broker/unknown-topic';
}

/** The topic of a store, in words. */
interface Named {
  readonly name: string;
  readonly topic: string;
  readonly table?: boolean | undefined;
}

function checkPartitions({ name, topic, table }: Named, partitions: number, input: string, wanted: number): void {
  if (partitions === wanted) return;
  if (table) {
    throw new ConfigError(
      'topic/not-copartitioned',
      `"${topic}", the topic of the table "${name}", has ${partitions} partitions, but "${input}" has ${wanted}`,
      {
        fix: 'give both topics the same number of partitions, or put a keyBy step before the join',
      },
    );
  }
  throw new ConfigError(
    'changelog/partitions',
    `the changelog "${topic}" of the store "${name}" has ${partitions} partitions, but its input "${input}" has ${wanted}`,
    {
      fix: `stop all instances; give the store another name, which starts it empty, or delete "${topic}", the state directory and the group's offsets, which builds it again from the input`,
    },
  );
}

function recreated({ topic, store, table }: Pick<ChangelogTopic, 'topic' | 'store' | 'table'>, what: string): ConfigError {
  if (table) {
    return new ConfigError('topic/recreated', `the topic "${topic}" of the table "${store}" ${what} while the daemon ran`, {
      fix: `stop all instances; reset the group's offsets of "${topic}", and start again: the table is then read anew`,
    });
  }
  return new ConfigError('changelog/recreated', `the changelog "${topic}" of the store "${store}" ${what} while the daemon ran`, {
    fix: `stop all instances; delete "${topic}", the state directory and the group's offsets, which builds the store again from the input`,
  });
}
