import type { StoredPosition } from '../core/store.js';
import { type LogEnd, partitionKey } from '../core/transport.js';
import type { Task } from './task.js';

/** What a flush writes beside a task's data: how far inputs and changelogs are in it (C4, T5). `asked`: when the ends were, in epoch milliseconds. */
export function storedPositions(task: Task, ends: readonly LogEnd[], asked: number): StoredPosition[] {
  const own = new Set(task.changelogs.map(partitionKey));
  const inputs = task.queues.map((queue) => ({ ...queue.partition, offset: queue.rewindTo, time: queue.source.partitionTime }));
  const changelogs = ends
    .filter((end) => own.has(partitionKey(end)))
    .map(({ topic, partition, offset, topicId }) => ({ topic, partition, offset, topicId, time: asked }));
  return [...inputs, ...changelogs];
}
