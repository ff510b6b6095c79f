import type { StoredPosition } from '../../core/store.js';
import { type CommittedOffset, partitionKey, type TopicPartition } from '../../core/transport.js';
import { type ChangelogState, REBUILD_REASONS, startingPoint } from '../restore/starting-point.js';

/** A changelog of the task as it is now. */
export interface ChangelogNow extends TopicPartition, ChangelogState {}

/**
 * Why a copy of a task's state with these positions may not be taken, as a clause; undefined when it may. A copy is taken only when
 * what follows each of its positions can still be read from the changelog it was made of (S4), told by the topic's id, and
 * when it does not lead what the group has committed (C4): that also holds under exactly-once, because positions reach a disk only
 * behind a transaction that was committed.
 */
export function objectionTo(
  positions: readonly StoredPosition[],
  changelogs: readonly ChangelogNow[],
  committed: ReadonlyMap<string, CommittedOffset>,
): string | undefined {
  const known = new Map(positions.map((position) => [partitionKey(position), position]));
  for (const changelog of changelogs) {
    const name = partitionKey(changelog);
    const position = known.get(name);
    if (position === undefined) return `it does not say up to where it has ${name}`;
    if (position.topicId === undefined || changelog.topicId === undefined) return `nothing tells whether ${name} is the topic that it was made of`;
    const { rebuild } = startingPoint(position, changelog);
    if (rebuild !== undefined) return `${name} at ${position.offset}: ${REBUILD_REASONS[rebuild]}`;
  }
  const own = new Set(changelogs.map(partitionKey));
  for (const [name, { offset }] of known) {
    const limit = committed.get(name)?.offset;
    if (limit !== undefined ? offset > limit : !own.has(name)) return `it holds ${name} up to ${offset}, but the group has committed ${limit ?? 'nothing'}`;
  }
  return undefined;
}

/** Offsets that are still to be read behind these positions. */
export function remainingAfter(positions: readonly StoredPosition[], changelogs: readonly ChangelogNow[]): number {
  const known = new Map(positions.map((position) => [partitionKey(position), position]));
  return changelogs.reduce((sum, changelog) => sum + Math.max(0, changelog.end - startingPoint(known.get(partitionKey(changelog)), changelog).from), 0);
}
