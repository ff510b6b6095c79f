import { DeliveryError, KstreamdError, RetriableError, TaskMigratedError } from '../core/errors.js';
import type { Clients } from './clients.js';
import { type Commit, OutputsLost } from './commit.js';
import type { Intake } from './intake.js';
import { narrowIsolation } from './isolation.js';
import { instanceTaken, MembershipLost } from './membership-lost.js';
import type { EngineMetrics } from './metrics.js';
import type { TaskSet } from './task-set.js';
import type { WorkerOptions } from './worker-options.js';

const RETRY_MS = 500;

export interface UndoingOptions extends Pick<WorkerOptions, 'logger' | 'clock'>, Pick<Clients, 'reader' | 'sink'> {
  readonly tasks: TaskSet;
  readonly engineMetrics: EngineMetrics;
  readonly intake: Intake;
  readonly commit: Commit;
}

/** Takes back what is not committed, and says what a commit that failed means (B6, C2, C3, E2, E3). */
export class Undoing {
  /** No commit is to be tried again before; clock milliseconds. */
  retryAt = 0;

  constructor(private readonly options: UndoingOptions) {}

  /** Resolves when what a failed commit left behind is settled; throws what ends the membership or the run. */
  async commitFailed(error: unknown): Promise<void> {
    const { logger, tasks, clock, sink } = this.options;
    const cause = error instanceof OutputsLost ? error.cause : error;
    if (!(cause instanceof KstreamdError)) throw cause;
    const about = { err: cause.message, code: cause.code };
    if (!(cause instanceof DeliveryError && tasks.dirty)) this.retryAt = clock.now() + RETRY_MS;
    if (cause instanceof TaskMigratedError) {
      if (instanceTaken(cause) || (cause.code !== 'broker/member-removed' && sink.transaction)) throw this.lost(cause);
      logger.warn(about, 'this member lost its tasks; dropping what is not committed');
      await this.rewind('lost', false);
    } else if (cause instanceof DeliveryError) {
      logger.warn(about, 'an output was refused; repeating the cycle record by record');
      narrowIsolation(tasks.owned, cause);
      await this.rewind('delivery', true);
    } else if (cause instanceof RetriableError) {
      logger.warn(about, 'the commit failed; trying again');
      if (error instanceof OutputsLost) await this.rewind('delivery', false);
    } else throw cause;
  }

  /** Everything since the last commit is undone and read again (B6, E2). */
  async rewind(reason: string, isolate: boolean): Promise<void> {
    const { tasks, engineMetrics, intake, reader, commit } = this.options;
    engineMetrics.rewound(reason);
    await this.abortTransaction();
    await intake.whileDropping(async () => {
      for (const { task } of tasks.owned) await tasks.abort(task, isolate, intake);
      await reader.seek(tasks.positions);
    });
    commit.rewound();
  }

  /** What was sent belongs to work that is undone (C3). */
  async abortTransaction(): Promise<void> {
    const { transaction } = this.options.sink;
    if (transaction?.since === undefined) return;
    this.options.engineMetrics.transaction('aborted', transaction.since);
    try {
      await this.options.intake.readOnFor(transaction.abort());
    } catch (error) {
      throw error instanceof TaskMigratedError ? this.lost(error) : error;
    }
  }

  /** The producer is fenced, or somebody else is this static member: nothing is committed any more. */
  lost(cause: TaskMigratedError): MembershipLost {
    const lost = new MembershipLost(cause);
    this.options.commit.refuse(lost);
    return lost;
  }
}
