import { messageOf, RetriableError, TaskMigratedError } from '../core/errors.js';
import { fulfilledWithin } from '../core/fulfilled-within.js';
import type { Logger } from '../core/logger.js';
import { type CommittedOffset, type PartitionReader, partitionKey, type TopicPartition, type Transaction } from '../core/transport.js';
import { AskedOffsets } from './asked-offsets.js';
import type { Assignment } from './assignment.js';
import type { Commit, CommitAttempt, OwnedTask } from './commit.js';
import { OutputsLost } from './commit.js';
import type { Intake } from './intake.js';
import type { EngineMetrics } from './metrics.js';
import type { OpeningTask } from './opening-task.js';
import type { RebalanceRequest } from './rebalance.js';
import type { Signal } from './signal.js';
import type { Standbys } from './standby/standbys.js';
import { type Damage, liesIn } from './state-damage.js';
import type { TaskSet } from './task-set.js';

export interface HandoverOptions {
  readonly tasks: TaskSet;
  readonly reader: PartitionReader;
  readonly intake: Intake;
  readonly commit: Commit;
  readonly transaction: Transaction | undefined;
  /** Told what runs here, so that nobody follows it beside us (S10). */
  readonly standbys: Pick<Standbys, 'claim' | 'release'> | undefined;
  readonly metrics: EngineMetrics;
  readonly logger: Logger;
  readonly wake: Signal;
  /** Nothing may be processed now, so no processor is started. */
  readonly held: () => boolean;
  readonly sleep: (ms: number) => Promise<void>;
  /** Undoes what all tasks did since the last commit. */
  readonly rewind: (reason: string) => Promise<void>;
  /** Commits what all tasks have done, or undoes it. */
  readonly commitAll: () => Promise<void>;
  readonly failed: (error: unknown) => void;
}

const RETRY_MS = 500;
const REVOKE_MS = 5000;
/** What comes within so long belongs to the assignment; other tasks run while what takes longer goes on. */
const SOON_MS = 500;

/** Takes tasks over and gives them up as the group says (C5); those with something to restore start when they have it (S4). */
export class Handover {
  /** The group has answered at least once. */
  joined = false;
  private asking: readonly AskedOffsets[] = [];
  private underWay: readonly OpeningTask[] = [];
  private restored: OpeningTask[] = [];

  constructor(
    private readonly assignment: Assignment,
    private readonly options: HandoverOptions,
  ) {}

  /** Tasks that are being restored. */
  get opening(): readonly OpeningTask[] {
    return this.underWay;
  }

  private set opening(tasks: readonly OpeningTask[]) {
    this.underWay = tasks;
    this.options.metrics.restoringTasks.set(this.waiting);
  }

  /** Tasks that are ours and cannot run yet: their offsets are not known, or they are being restored. */
  get waiting(): number {
    return this.asking.reduce((sum, { partitions }) => sum + partitions.length, this.opening.length);
  }

  async serve({ event, partitions, done, failed }: RebalanceRequest): Promise<void> {
    const { metrics, logger } = this.options;
    metrics.rebalanced(event);
    if (partitions.length > 0) logger.info({ event, partitions: partitions.map(partitionKey) }, `partitions ${event}`);
    try {
      if (event === 'assigned') await this.take(partitions);
      else await this.giveUp(partitions, event === 'lost');
      done();
    } catch (error) {
      failed(error);
      throw error;
    }
  }

  /** Opens the tasks whose offsets have come, and starts those whose restore has ended. */
  async startReady(): Promise<void> {
    const { tasks, commit, intake, held } = this.options;
    await this.openAnswered();
    if (this.restored.length === 0 || held()) return;
    for (const task of this.restored.splice(0)) {
      const owned = await task.start();
      this.opening = this.opening.filter((one) => one !== task);
      tasks.add(owned);
      this.assignment.startReading(owned.task);
    }
    intake.forgetPauses();
    commit.refreshSoon();
  }

  /** Whether a task here has its state in the directory. */
  holds(directory: string): boolean {
    return this.taskIn(directory) !== undefined;
  }

  /**
   * Commits and closes the task whose state is damaged, sets that aside and opens the task again, to be restored; the group
   * does not notice, and other tasks go on (E4). Rejects with a StoreCorruptedError where a store has no changelog.
   */
  async reopen({ directory, problem }: Damage): Promise<void> {
    const owned = this.taskIn(directory);
    if (owned === undefined) return;
    const { task, lead } = owned;
    this.options.logger.error({ task: task.taskId, directory, problem }, 'the state of a running task is damaged: the task is closed and restored');
    task.state.condemn(problem);
    const partitions = [{ topic: lead, partition: task.partition }];
    await this.giveUp(partitions, false);
    await this.take(partitions);
  }

  private taskIn(directory: string): OwnedTask | undefined {
    const all = [...this.options.tasks.owned, ...this.opening.map(({ owned }) => owned)];
    return all.find(({ task }) => liesIn(directory, task.state.directory));
  }

  /** The membership ends: what is being restored stays where it is. */
  async abandonAll(): Promise<void> {
    const { opening, asking } = this;
    for (const asked of asking) asked.forget(asked.partitions);
    this.asking = [];
    this.opening = [];
    this.restored = [];
    for (const task of opening) await task.abandon().catch((error: unknown) => this.options.logger.warn({ err: messageOf(error) }, 'closing failed'));
  }

  private async take(partitions: readonly TopicPartition[]): Promise<void> {
    const { standbys, logger, wake, failed } = this.options;
    standbys?.claim(partitions);
    const asked = new AskedOffsets(partitions, () => this.assignment.committed(partitions), logger);
    if (!(await fulfilledWithin(SOON_MS, asked.done))) {
      logger.info({ partitions: partitions.map(partitionKey) }, 'these tasks wait for the end of transactions that others left open, or for the broker');
      asked.done.then(() => wake.notify(), failed);
    }
    this.asking = [...this.asking, asked];
    await this.startReady();
    this.joined = true;
  }

  private async openAnswered(): Promise<void> {
    const answered = this.asking.filter(({ answer }) => answer !== undefined);
    if (answered.length === 0) return;
    // Opening may take longer than the broker lets a transaction stay open.
    if (this.options.transaction?.since !== undefined) await this.options.commitAll();
    const restores: Promise<void>[] = [];
    for (const one of answered) {
      const opened = await this.opened(one.partitions, one.answer ?? []);
      this.asking = this.asking.filter((asked) => asked !== one);
      this.opening = [...this.opening, ...opened];
      restores.push(...opened.map((task) => this.restore(task)));
    }
    await fulfilledWithin(SOON_MS, Promise.all(restores));
  }

  private async restore(task: OpeningTask): Promise<void> {
    try {
      // Its partitions may have been revoked in the very moment in which it ended.
      if ((await task.restore()) === 'restored' && this.opening.includes(task)) this.restored.push(task);
    } catch (error) {
      this.options.failed(error);
    }
    this.options.wake.notify();
  }

  /** Tries again while the broker is in the way (E3). */
  private async opened(partitions: readonly TopicPartition[], committed: readonly CommittedOffset[]): Promise<OpeningTask[]> {
    for (;;) {
      try {
        return await this.assignment.open(partitions, committed);
      } catch (error) {
        if (!(error instanceof RetriableError)) throw error;
        this.options.logger.warn({ err: error.message, code: error.code }, 'opening tasks failed; trying again');
        await this.options.sleep(RETRY_MS);
      }
    }
  }

  private async giveUp(partitions: readonly TopicPartition[], lost: boolean): Promise<void> {
    const { reader, intake, commit, tasks, transaction, rewind } = this.options;
    await this.abandon(partitions);
    const leaving = tasks.ofPartitions(partitions);
    reader.unassign(leaving.flatMap(({ task }) => task.queues.map((queue) => queue.partition)));
    for (const { task } of leaving) tasks.drop(task, intake);
    if (!lost && leaving.length > 0) await this.commitBeforeLeaving();
    // What a lost task has sent must not be committed with the others' work (C3).
    if (lost && transaction?.since !== undefined) await rewind('lost');
    for (const { task } of leaving) {
      tasks.remove(task);
      commit.forget(task);
      await task.close();
    }
    this.options.standbys?.release(partitions);
  }

  private async abandon(partitions: readonly TopicPartition[]): Promise<void> {
    for (const asked of this.asking) asked.forget(partitions);
    this.asking = this.asking.filter((asked) => asked.partitions.length > 0);
    const keys = new Set(partitions.map(partitionKey));
    const gone = this.opening.filter(({ owned: { task, lead } }) => keys.has(partitionKey({ topic: lead, partition: task.partition })));
    this.opening = this.opening.filter((task) => !gone.includes(task));
    this.restored = this.restored.filter((task) => !gone.includes(task));
    for (const task of gone) await task.abandon();
  }

  /** Commits within 5 s, else the partitions go uncommitted and their records are processed again (C5). */
  private async commitBeforeLeaving(): Promise<void> {
    const { commit, tasks, logger, rewind, transaction } = this.options;
    const attempt: CommitAttempt = { abandoned: false };
    try {
      const inTime = await fulfilledWithin(REVOKE_MS, commit.run(tasks.owned, { attempt, flush: true }));
      if (!inTime) throw new TooLate(`not acknowledged within ${REVOKE_MS} ms`);
    } catch (error) {
      attempt.abandoned = true;
      logger.warn({ err: messageOf(error) }, 'could not commit before giving partitions up; their last records will be processed again');
      // A transaction whose commit is still under way cannot be aborted beside it.
      if (error instanceof TooLate && transaction !== undefined) throw new TaskMigratedError('broker/transaction-unresolved', error.message, { cause: error });
      // Nor may what it perhaps committed be done again here.
      if (transaction !== undefined && error instanceof TaskMigratedError && error.code !== 'broker/member-removed') throw error;
      if (error instanceof OutputsLost || transaction !== undefined) await rewind('delivery');
    }
  }
}

class TooLate extends Error {}
