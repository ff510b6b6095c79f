import { StoreError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import type { StoreDefinition, StoredPosition } from '../core/store.js';
import { type CommittedOffset, type LogEnd, partitionKey, type TopicPartition } from '../core/transport.js';
import type { ChangelogTopic } from './changelog-topics.js';
import { offsetMissing } from './input-start.js';
import type { EngineMetrics } from './metrics.js';

/**
 * Makes sure that a changelog, the state on disk and the group's offsets belong together. Throws a StoreError when the
 * changelog holds records but the group no offset (C5), and when it was lost while the local state is all that is left:
 * a restore would then empty it.
 */
export function checkChangelogOf(
  { topic, store }: ChangelogTopic,
  end: LogEnd | undefined,
  inputs: readonly TopicPartition[],
  stored: ReadonlyMap<string, StoredPosition>,
  committed: ReadonlyMap<string, CommittedOffset>,
  directory: string,
): void {
  if (end === undefined) return;
  const without = inputs.find((input) => !committed.has(partitionKey(input)));
  if (without !== undefined && end.offset > 0) {
    throw offsetMissing(partitionKey(without), `the changelog ${partitionKey(end)} of its state holds records`, undefined, directory);
  }
  const hasState = inputs.some((input) => (stored.get(partitionKey(input))?.offset ?? 0) > 0);
  const known = stored.get(partitionKey(end));
  const another = known === undefined || (known.topicId !== undefined && end.topicId !== undefined && known.topicId !== end.topicId);
  if (!hasState || !another || end.offset > 0) return;
  throw new StoreError('state/changelog-lost', `the changelog "${topic}" of the store "${store}" is new and empty, but "${directory}" holds state`, {
    fix: `stop all instances; remove "${directory}", the changelog and the group's offsets, which builds the store again from the input`,
  });
}

/** Warns of stores that start empty although input was committed: state that neither this disk nor a changelog has (C4). */
export function warnOfEmptyStores(
  inputs: readonly TopicPartition[],
  stored: ReadonlyMap<string, StoredPosition>,
  committed: ReadonlyMap<string, CommittedOffset>,
  stores: readonly StoreDefinition[],
  ends: ReadonlyMap<string, LogEnd>,
  metrics: EngineMetrics,
  logger: Logger,
): void {
  const without = inputs.filter((input) => (committed.get(partitionKey(input))?.offset ?? 0) > 0 && !stored.has(partitionKey(input)));
  const own = stores.filter(({ table }) => !table);
  const empty = own.filter(({ changelog }) => changelog === undefined || ends.get(changelog.topic)?.offset === 0).map(({ name }) => name);
  if (empty.length === 0 || without.length === 0) return;
  for (const store of empty) metrics.emptyStart(store);
  logger.warn({ stores: empty, partitions: without.map(partitionKey) }, 'no state for committed input: these stores start empty here');
}
