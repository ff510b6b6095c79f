import { murmur2 } from '../../core/murmur2.js';
import type { FollowedTask } from './followed-task.js';
import type { Instance } from './instances.js';

type Placed = Pick<FollowedTask, 'name' | 'copies' | 'inMemory'>;

/**
 * Where the copies of a task are to be (S10): the instances with the highest hashes of task and id, at most one a state
 * directory, and none that shares the directory of whoever runs the task, where a copy would be lost with it
 * and is not needed without. The same for all who know the same instances. Undefined while nobody runs the task: it is
 * on its way, and its copies stay where they are.
 */
export function copiesOf(task: Placed, instances: readonly Instance[]): Instance[] | undefined {
  const taken = new Set(instances.filter((instance) => runs(instance, task)).map((instance) => placeOf(instance, task)));
  if (taken.size === 0) return undefined;
  const hashed = instances.map((instance) => ({ instance, hash: murmur2(Buffer.from(`${task.name}\0${instance.id}`)) >>> 0 }));
  hashed.sort((a, b) => b.hash - a.hash || (a.instance.id < b.instance.id ? -1 : 1));
  const chosen: Instance[] = [];
  for (const { instance } of hashed) {
    if (chosen.length === task.copies) break;
    const place = placeOf(instance, task);
    if (taken.has(place)) continue;
    taken.add(place);
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
export function decide(task: Placed, own: Pick<Instance, 'id' | 'place'>, instances: readonly Instance[]): Decision {
  const besideUs = (instance: Instance): boolean => instance.id !== own.id && placeOf(instance, task) === placeOf(own, task);
  if (instances.some((instance) => besideUs(instance) && runs(instance, task))) return 'leave';
  const chosen = copiesOf(task, instances);
  if (chosen === undefined) return 'keep';
  if (chosen.some(({ id }) => id === own.id)) return 'follow';
  return chosen.every((instance) => instance.alive && instance.copies.has(task.name)) ? 'leave' : 'keep';
}

function placeOf({ id, place }: Pick<Instance, 'id' | 'place'>, { inMemory }: Placed): string {
  return inMemory ? id : place;
}

function runs(instance: Instance, { name }: Placed): boolean {
  return instance.alive && instance.tasks.has(name);
}
