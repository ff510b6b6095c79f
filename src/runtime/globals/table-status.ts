import type { PartitionOffset, TopicPartition } from '../../core/transport.js';
import type { StandbyProgress } from '../restore/follower.js';
import type { RestoreProgress } from '../restore/progress.js';

/** How far a table is in one partition of its topic. All are offsets of the next record. */
export interface TablePartitionStatus extends TopicPartition {
  readonly position: number;
  /** The end when it was asked for last, and the offsets before it. */
  readonly end: number;
  readonly lag: number;
}

/** A global table of this instance (S6). */
export interface GlobalTableStatus {
  readonly table: string;
  readonly topic: string;
  /** `loading`: nothing is processed before it is complete. */
  readonly state: 'loading' | 'running';
  /** Left out where nothing is kept on disk. */
  readonly directory?: string;
  readonly bytesOnDisk: number;
  readonly partitions: readonly TablePartitionStatus[];
  /** While it is loading: what was read in all, at which rate, and how long the rest takes at that. */
  readonly records?: number;
  readonly recordsPerSecond?: number;
  readonly secondsLeft?: number;
}

export function loadingPartitions(progress: readonly RestoreProgress[]): TablePartitionStatus[] {
  return progress.map(({ topic, partition, position, end, remaining }) => ({ topic, partition, position, end, lag: remaining }));
}

/** `visible`: what reads see; `progress`: what is known of the ends, once they were asked for. */
export function followedPartitions(visible: readonly PartitionOffset[], progress: readonly StandbyProgress[]): TablePartitionStatus[] {
  const ends = new Map(progress.map(({ partition, end }) => [partition, end]));
  return visible.map(({ topic, partition, offset: position }) => {
    const end = Math.max(position, ends.get(partition) ?? 0);
    return { topic, partition, position, end, lag: end - position };
  });
}

export function loadingRates(progress: readonly RestoreProgress[]): Pick<GlobalTableStatus, 'records' | 'recordsPerSecond' | 'secondsLeft'> {
  const sum = (of: (one: RestoreProgress) => number): number => progress.reduce((total, one) => total + of(one), 0);
  const known = progress.flatMap(({ secondsLeft }) => (secondsLeft === undefined ? [] : [secondsLeft]));
  const left = known.length === 0 ? {} : { secondsLeft: Math.round(10 * Math.max(...known)) / 10 };
  return { records: sum(({ records }) => records), recordsPerSecond: Math.round(sum((one) => one.recordsPerSecond)), ...left };
}
