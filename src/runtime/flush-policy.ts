import type { Task } from './task.js';

const RETRY_MS = 500;
/** A table that does not change says so on disk once in a while: a position grows too old by not being renewed (S4, S5). */
const RENEW_MS = 10 * 60_000;

/** When committed state goes to disk: after a time or a number of bytes, and with each commit where no changelog could restore it (C4). */
export class FlushPolicy {
  private readonly since = new WeakMap<Task, number>();
  /** When tasks with tables were flushed, or first seen. */
  private readonly renewed = new WeakMap<Task, number>();
  private notBefore = 0;

  constructor(
    private readonly settings: {
      /** Committed state goes to disk after so long at the latest, in milliseconds. */
      readonly flushMs: number;
      /** Or when so many bytes wait in memory, over all tasks. */
      readonly maxBufferedBytes: number;
    },
    private readonly now: () => number,
  ) {}

  /**
   * The tasks to flush now; all that have something to flush when `all`. `changed`: what the last commit moved. Where no
   * changelog could restore a store, its position goes to disk although no value changed: a restart takes everything after
   * it again.
   */
  due(tasks: readonly Task[], changed: readonly Task[], all: boolean): Task[] {
    const now = this.now();
    if (!all && now < this.notBefore) return [];
    const everything = all || this.overfull(tasks);
    return tasks.filter((task) => {
      if ((task.localOnly && changed.includes(task)) || (task.tables.size > 0 && (all || now >= this.renewalOf(task)))) return true;
      return task.state.unflushed && (everything || task.localOnly || now - this.begun(task) >= this.settings.flushMs);
    });
  }

  /** When the next flush is due, in clock milliseconds; Infinity when nothing waits. */
  next(tasks: readonly Task[]): number {
    let next = Number.POSITIVE_INFINITY;
    for (const task of tasks) {
      if (task.state.unflushed) next = Math.min(next, this.begun(task) + this.settings.flushMs);
      if (task.tables.size > 0) next = Math.min(next, this.renewalOf(task));
    }
    return Math.max(next, this.notBefore);
  }

  /** More waits in memory than may: commit and flush at once (C4). */
  overfull(tasks: readonly Task[]): boolean {
    let bytes = 0;
    for (const task of tasks) bytes += task.state.unflushedBytes;
    return bytes > this.settings.maxBufferedBytes;
  }

  flushed(task: Task): void {
    this.since.delete(task);
    this.renewed.set(task, this.now());
  }

  failed(): void {
    this.notBefore = this.now() + RETRY_MS;
  }

  private renewalOf(task: Task): number {
    const renewed = this.renewed.get(task) ?? this.now();
    this.renewed.set(task, renewed);
    return renewed + RENEW_MS;
  }

  /** When the first of what waits was committed. */
  private begun(task: Task): number {
    const begun = this.since.get(task) ?? this.now();
    this.since.set(task, begun);
    return begun;
  }
}
