import type { StoredPosition } from '../../core/store.js';

/** Why a local copy is thrown away: a word for metrics, a clause for the log. */
export const REBUILD_REASONS = {
  'given-up': 'what it holds was given up',
  'no-position': 'it does not say up to where it goes',
  'other-topic': 'the changelog was deleted and made again',
  'below-start': 'the changelog no longer holds the records that follow',
  'beyond-end': 'the changelog ends before the stored position',
  'too-old': 'it is so old that the changelog may have lost deletions since',
  'out-of-range': 'the changelog lost records while it was being read',
} as const;

export type RebuildReason = keyof typeof REBUILD_REASONS;

/** Before every log: what is found at it is never trusted. */
export const NOWHERE = -1;

/** What is known of a changelog at one moment. */
export interface ChangelogState {
  /** First offset that is still there. */
  readonly low: number;
  /** Its end as a read_uncommitted client sees it. */
  readonly end: number;
  /** The same where `end` is less: that of a table is where its topic begins to be processed. */
  readonly logEnd?: number;
  readonly topicId: string | undefined;
  /** Epoch milliseconds, not after the moment at which the end was asked for. */
  readonly asked: number;
  /** Of the topic: how long a tombstone stays after compaction, in milliseconds. */
  readonly deleteRetentionMs: number;
}

export interface StartingPoint {
  readonly from: number;
  /** Everything after `from` that was deleted since this moment can still be read. Epoch milliseconds. */
  readonly time: number;
  /** The store is emptied first. */
  readonly rebuild?: RebuildReason;
}

/**
 * Where the restore of a store begins (S4): at its stored position, or, when that cannot be trusted, at the start of the
 * changelog with an empty store. A position at the very end is never too old: nothing was written since.
 */
export function startingPoint(stored: StoredPosition | undefined, log: ChangelogState): StartingPoint {
  const reason = stored && objection(stored, log);
  if (stored === undefined || reason !== undefined) return { from: log.low, time: log.asked, ...(reason && { rebuild: reason }) };
  return { from: stored.offset, time: stored.time ?? log.asked };
}

function objection(stored: StoredPosition, { low, end, logEnd = end, topicId, asked, deleteRetentionMs }: ChangelogState): RebuildReason | undefined {
  if (stored.offset === NOWHERE) return 'given-up';
  if (stored.topicId !== undefined && topicId !== undefined && stored.topicId !== topicId) return 'other-topic';
  if (stored.offset < low) return 'below-start';
  if (stored.offset > end) return 'beyond-end';
  if (stored.offset === logEnd) return undefined;
  if (stored.time === undefined) return 'too-old';
  return asked - stored.time > deleteRetentionMs / 2 ? 'too-old' : undefined;
}
