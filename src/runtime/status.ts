import type { TopicPartition } from '../core/transport.js';
import type { OwnedTask } from './commit.js';
import type { GlobalTableStatus } from './globals/table-status.js';
import type { Occasion } from './occasion.js';
import type { OpeningTask } from './opening-task.js';
import type { StandbyProgress } from './restore/follower.js';
import type { RestoreProgress } from './restore/progress.js';
import type { SnapshotStatus } from './snapshots/task-snapshots.js';
import type { Task } from './task.js';
import type { StoreSummary } from './task-state.js';

/** `stopping` drains and commits; `restoring` means that some tasks wait for their stores, others may run. */
export type WorkerState = 'joining' | 'restoring' | 'running' | 'stopping';

/** How far a task is in one of its input partitions. All are offsets of the next record. */
export interface PartitionStatus extends TopicPartition {
  readonly position: number;
  readonly committed: number;
  /** The end of the log and the records before it, as the last fetch told; left out before the first. */
  readonly end?: number;
  readonly lag?: number;
}

/** How far one store's restore is; rates are averages since it began. */
export type RestoreStatus = Omit<RestoreProgress, 'secondsLeft'> & { readonly secondsLeft?: number };

export interface TaskStatus {
  /** Number of the sub-topology and of the partition. */
  readonly task: string;
  readonly state: 'restoring' | 'running';
  readonly partitions: readonly PartitionStatus[];
  /** Where its state is; left out where none is kept on disk. */
  readonly directory?: string;
  readonly bytesOnDisk: number;
  readonly stores: readonly StoreSummary[];
  /** One entry a store, while it is being restored. */
  readonly restore?: readonly RestoreStatus[];
  /** The last snapshot of its state that this process stored, and what was wrong since; left out where none are kept (S13). */
  readonly snapshot?: SnapshotStatus;
}

/** Stores that this instance keeps a copy of, for a task that another one runs (S10). */
export interface StandbyStatus {
  readonly task: string;
  readonly stores: readonly StandbyProgress[];
}

/** What a worker does now. */
export interface WorkerStatus {
  readonly state: WorkerState;
  readonly tasks: readonly TaskStatus[];
  readonly standby: readonly StandbyStatus[];
  /** Left out where the topology has none. */
  readonly globals?: readonly GlobalTableStatus[];
  readonly lastCommit?: Occasion;
  readonly lastFlush?: Occasion;
}

/** Where a worker's status is read from. */
export interface WorkParts {
  readonly owned: readonly OwnedTask[];
  readonly opening: readonly OpeningTask[];
  readonly endOf: (partition: TopicPartition) => number | undefined;
  readonly last: { readonly commit?: Occasion; readonly flush?: Occasion };
  readonly standby?: readonly StandbyStatus[] | undefined;
  readonly snapshotOf?: ((owned: OwnedTask) => SnapshotStatus | undefined) | undefined;
}

/** Reads nothing but the sizes of files, and asks no broker. */
export async function describeWork(state: WorkerState, parts: WorkParts | undefined): Promise<WorkerStatus> {
  if (parts === undefined) return { state, tasks: [], standby: [] };
  const { owned, opening, endOf, last, standby = [], snapshotOf } = parts;
  const tasks = await Promise.all([
    ...owned.map(async (one) => {
      const snapshot = snapshotOf?.(one);
      return { ...(await describeTask(one.task, endOf)), ...(snapshot && { snapshot }) };
    }),
    ...opening.map(({ owned: { task }, progress }) => describeTask(task, endOf, progress)),
  ]);
  tasks.sort((one, other) => one.task.localeCompare(other.task, 'en', { numeric: true }));
  return { state, tasks, standby, ...(last.commit && { lastCommit: last.commit }), ...(last.flush && { lastFlush: last.flush }) };
}

async function describeTask(task: Task, endOf: WorkParts['endOf'], restore?: readonly RestoreProgress[]): Promise<TaskStatus> {
  const { state, taskId, queues } = task;
  const partitions = queues.map(({ partition, position, rewindTo, replayUntil }) => {
    const end = endOf(partition);
    const known = end === undefined ? {} : { end, lag: Math.max(0, end - position) };
    return { topic: partition.topic, partition: partition.partition, position, committed: Math.max(rewindTo, replayUntil), ...known };
  });
  const { directory, summary: stores } = state;
  const about = { task: taskId, state: restore ? 'restoring' : 'running', partitions } as const;
  const place = directory === undefined ? {} : { directory };
  return { ...about, ...place, bytesOnDisk: await state.bytesOnDisk(), stores, ...(restore && { restore: restore.map(rounded) }) };
}

function rounded({ secondsLeft, recordsPerSecond, ...progress }: RestoreProgress): RestoreStatus {
  const left = secondsLeft === undefined ? {} : { secondsLeft: Math.round(secondsLeft * 10) / 10 };
  return { ...progress, recordsPerSecond: Math.round(recordsPerSecond), ...left };
}
