import { murmur2 } from '../../core/murmur2.js';
import type { Instance } from './instances.js';
import type { TaskName } from './task-name.js';

/**
 * Where the copies of a task are to be (S10): the instances with the highest hashes of task and id, at most one a state
 * directory, and none that shares the directory of whoever runs the task, where a copy would be lost with it
 * and is not needed without. The same for all who know the same instances. Undefined while nobody runs the task: it is
 * on its way, and its copies stay where they are.
 */
export function copiesOf(task: TaskName, copies: number, instances: readonly Instance[]): Instance[] | undefined {
  const taken = new Set(instances.filter((instance) => runs(instance, task)).map(({ place }) => place));
  if (taken.size === 0) return undefined;
  const hashed = instances.map((instance) => ({ instance, hash: murmur2(Buffer.from(`${task}\0${instance.id}`)) >>> 0 }));
  hashed.sort((a, b) => b.hash - a.hash || (a.instance.id < b.instance.id ? -1 : 1));
  const chosen: Instance[] = [];
  for (const { instance } of hashed) {
    if (chosen.length === copies) break;
    if (taken.has(instance.place)) continue;
    taken.add(instance.place);
    chosen.push(instance);
  }
  return chosen;
}

/** Begin to follow a task or go on, go on only if it is being followed, or let go of it. */
export type Decision = 'follow' | 'keep' | 'leave';

/**
 * What an instance is to do about a task that it does not run. A copy is kept until those that are to replace it are complete;
 * only where somebody beside us opens the same state directory it is let go at once.
 */
export function decide(task: TaskName, copies: number, own: Pick<Instance, 'id' | 'place'>, instances: readonly Instance[]): Decision {
  if (instances.some((instance) => instance.id !== own.id && instance.place === own.place && runs(instance, task))) return 'leave';
  const chosen = copiesOf(task, copies, instances);
  if (chosen === undefined) return 'keep';
  if (chosen.some(({ id }) => id === own.id)) return 'follow';
  return chosen.every((instance) => instance.alive && instance.copies.has(task)) ? 'leave' : 'keep';
}

function runs(instance: Instance, task: TaskName): boolean {
  return instance.alive && instance.tasks.has(task);
}
