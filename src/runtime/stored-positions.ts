import type { StoredPosition } from '../core/store.js';
import { type LogEnd, partitionKey } from '../core/transport.js';
import type { Task } from './task.js';

/**
 * What a flush writes beside a task's data: how far inputs and changelogs are in it (C4, T5). `asked`: when the ends were, in epoch
 * milliseconds. Of a table its input says both: everything before is in the store, and what was deleted after now can be read (S5).
 */
export function storedPositions(task: Task, ends: readonly LogEnd[], asked: number): StoredPosition[] {
  const own = new Set(task.changelogs.map(partitionKey));
  const { tables } = task;
  const inputs = task.queues.map(({ partition, rewindTo: offset, source }): StoredPosition => {
    if (!tables.has(partition.topic)) return { ...partition, offset, time: source.partitionTime };
    return { ...partition, offset, time: asked, topicId: tables.get(partition.topic) };
  });
  const changelogs = ends
    .filter((end) => own.has(partitionKey(end)))
    .map(({ topic, partition, offset, topicId }) => ({ topic, partition, offset, topicId, time: asked }));
  return [...inputs, ...changelogs];
}
