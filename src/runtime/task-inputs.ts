import { inputGroups } from '../topology/shared-inputs.js';
import type { InputQueue, Stretch } from './input-queue.js';
import { OrderedInputs } from './ordered-inputs.js';
import type { TaskOptions } from './task-options.js';

/** Chooses whose records a task takes next: in turn, and in the order of time among inputs that share a store (T2). */
export class TaskInputs {
  /** An input alone, or several that share a store. */
  private readonly groups: readonly (InputQueue | OrderedInputs)[];
  private readonly ordered = new Map<InputQueue, OrderedInputs>();
  /** Those that are taken in the order of time. */
  private readonly shared: readonly OrderedInputs[];
  private turn = 0;

  constructor(queues: readonly InputQueue[], { topology, subtopology, metrics, logger }: Pick<TaskOptions, 'topology' | 'subtopology' | 'metrics' | 'logger'>) {
    const several = queues.length > 1 ? inputGroups(topology, subtopology) : [];
    const shared = several.map((topics) => queues.filter(({ partition }) => topics.includes(partition.topic))).filter((group) => group.length > 1);
    for (const group of shared) {
      const inputs = new OrderedInputs(group, ({ partition, position }) => {
        metrics.goneWithout(partition.topic);
        logger.warn({ ...partition, position }, 'records that share a store with this partition are processed without it: nothing more of it comes');
      });
      for (const queue of group) {
        queue.ordered = true;
        this.ordered.set(queue, inputs);
      }
    }
    this.groups = [...new Set(queues.map((queue) => this.ordered.get(queue) ?? queue))];
    this.shared = [...new Set(this.ordered.values())];
  }

  /** The next input that has records and may give some. */
  next(open: (queue: InputQueue) => boolean): InputQueue | undefined {
    const { groups } = this;
    for (let i = 0; i < groups.length; i++) {
      const group = groups[(this.turn + i) % groups.length] as InputQueue | OrderedInputs;
      const queue = chosen(group, open);
      if (queue === undefined) continue;
      this.turn = (this.turn + i + 1) % groups.length;
      return queue;
    }
    return undefined;
  }

  /** Whether any may ever hold up others. */
  get mayWait(): boolean {
    return this.shared.length > 0;
  }

  /** The inputs that hold up others until more of them is read (T4). */
  get awaited(): readonly InputQueue[] {
    return this.shared.flatMap(({ awaited }) => awaited);
  }

  /** Whether `next` would give one. */
  some(open: (queue: InputQueue) => boolean): boolean {
    return this.groups.some((group) => chosen(group, open) !== undefined);
  }

  /** Index after the last record of the stretch that can be taken with the first. */
  endOfRun(queue: InputQueue, stretch: Stretch): number {
    return this.ordered.get(queue)?.endOfRun(queue, stretch) ?? stretch.to;
  }
}

function chosen(group: InputQueue | OrderedInputs, open: (queue: InputQueue) => boolean): InputQueue | undefined {
  if (group instanceof OrderedInputs) return group.next(open);
  return group.length > 0 && open(group) ? group : undefined;
}
