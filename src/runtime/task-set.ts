import type { RawBatch } from '../core/raw-batch.js';
import { type PartitionOffset, type PartitionReader, partitionKey, type TopicPartition } from '../core/transport.js';
import type { OwnedTask } from './commit.js';
import type { InputQueue } from './input-queue.js';
import type { Intake } from './intake.js';
import type { EngineMetrics } from './metrics.js';
import type { Task } from './task.js';
import type { TaskInputs } from './task-inputs.js';

const OBSERVE_MS = 1000;
const NONE: readonly TopicPartition[] = [];

/** The tasks this worker owns, and where each partition's records go. */
export class TaskSet {
  private readonly tasks: OwnedTask[] = [];
  private readonly queues = new Map<string, InputQueue>();
  /** The inputs of tasks that may wait for one of them; most pipelines have none. */
  private readonly waiters = new Set<TaskInputs>();
  private turn = 0;
  private lastObserved = 0;

  constructor(private readonly metrics: EngineMetrics) {}

  get owned(): readonly OwnedTask[] {
    return this.tasks;
  }

  get partitions(): TopicPartition[] {
    return [...this.queues.values()].map((queue) => queue.partition);
  }

  /** Where each partition that stays is to be read next. */
  get positions(): PartitionOffset[] {
    return [...this.queues.values()].filter((queue) => !queue.closed).map((queue) => ({ ...queue.partition, offset: queue.position }));
  }

  get dirty(): boolean {
    return this.tasks.some(({ task }) => task.dirty);
  }

  get commitRequested(): boolean {
    return this.tasks.some(({ task }) => task.commitRequested);
  }

  /** Records are being repeated one by one, each acknowledged; others wait, so that a refusal is laid at the right door (E2). */
  get isolating(): boolean {
    return this.tasks.some(({ task }) => task.queues.some((queue) => queue.isolating));
  }

  /** Records wait that may be processed now. */
  get waiting(): boolean {
    const { isolating } = this;
    return this.tasks.some(({ task }) => task.inputs.some((queue) => !queue.preparing && (!isolating || queue.isolating)));
  }

  /** Partitions of which more must be read before others can go on (T4). */
  get awaited(): readonly TopicPartition[] {
    return this.waiters.size === 0 ? NONE : [...this.waiters].flatMap(({ awaited }) => awaited.map(({ partition }) => partition));
  }

  /** Earliest wall-clock punctuation; Infinity when there is none. */
  get nextWallClock(): number {
    return this.tasks.reduce((earliest, { task }) => Math.min(earliest, task.nextWallClock), Number.POSITIVE_INFINITY);
  }

  add(owned: OwnedTask): void {
    this.tasks.push(owned);
    const { inputs } = owned.task;
    if (inputs.mayWait) this.waiters.add(inputs);
    for (const queue of owned.task.queues) this.queues.set(partitionKey(queue.partition), queue);
    this.metrics.tasks.set(this.tasks.length);
  }

  remove(task: Task): void {
    const index = this.tasks.findIndex((owned) => owned.task === task);
    if (index >= 0) this.tasks.splice(index, 1);
    this.waiters.delete(task.inputs);
    for (const queue of task.queues) {
      this.queues.delete(partitionKey(queue.partition));
      this.metrics.forgetLag(queue.partition);
    }
    this.metrics.tasks.set(this.tasks.length);
  }

  /** The tasks that stand for partitions of lead topics. */
  ofPartitions(partitions: readonly TopicPartition[]): OwnedTask[] {
    const keys = new Set(partitions.map(partitionKey));
    return this.tasks.filter(({ task, lead }) => keys.has(partitionKey({ topic: lead, partition: task.partition })));
  }

  /** False when nobody here owns the partition. */
  deliver(raw: RawBatch): boolean {
    const queue = this.queues.get(partitionKey(raw));
    if (!queue || queue.closed) return false;
    queue.push(raw);
    return true;
  }

  /** The next task and input, in turn, that has records and may give some. */
  next(open: (queue: InputQueue) => boolean): { task: Task; queue: InputQueue } | undefined {
    for (let i = 0; i < this.tasks.length; i++) {
      const at = (this.turn + i) % this.tasks.length;
      const { task } = this.tasks[at] as OwnedTask;
      const queue = task.nextQueue(open);
      if (!queue) continue;
      this.turn = at + 1;
      return { task, queue };
    }
    return undefined;
  }

  /** Forgets a task's waiting records and takes no more. */
  drop(task: Task, intake: Intake): void {
    for (const queue of task.queues) {
      queue.closed = true;
      forget(queue, intake);
    }
  }

  /** The same for all tasks. */
  dropWaiting(intake: Intake): void {
    for (const { task } of this.tasks) this.drop(task, intake);
  }

  async abort(task: Task, isolate: boolean, intake: Intake): Promise<void> {
    for (const queue of task.queues) forget(queue, intake);
    await task.abort(isolate);
  }

  /** To be called when all that the reader has handed out is delivered: only then do its positions say what has come (B5). */
  noteRead(reader: PartitionReader): void {
    for (const queue of this.queues.values()) {
      if (queue.closed) continue;
      queue.readTo = reader.position(queue.partition);
      if (!queue.ordered) continue;
      const end = reader.cachedEnd(queue.partition);
      queue.behind = end === undefined || (queue.readTo ?? queue.position) < end;
    }
  }

  /** Positions past transaction markers, where no record waits (B5). */
  catchUp(): void {
    for (const queue of this.queues.values()) queue.catchUp();
  }

  /** Once a second: positions, lag and what waits for a flush. */
  observe(reader: PartitionReader): void {
    const now = performance.now();
    if (now - this.lastObserved < OBSERVE_MS) return;
    this.lastObserved = now;
    this.catchUp();
    this.metrics.cacheBytes.set(Math.max(0, ...this.tasks.map(({ task }) => task.state.cacheBytes)));
    this.metrics.unflushedBytes.set(this.tasks.reduce((sum, { task }) => sum + task.state.unflushedBytes, 0));
    for (const queue of this.queues.values()) {
      const end = reader.cachedEnd(queue.partition);
      if (end !== undefined) this.metrics.lag(queue.partition, Math.max(0, end - queue.position));
    }
  }
}

function forget(queue: InputQueue, intake: Intake): void {
  const { length } = queue;
  intake.release(length, queue.clear());
}
