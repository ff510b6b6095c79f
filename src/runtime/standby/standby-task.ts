import { KstreamdError, messageOf, StoreCorruptedError, StoreError } from '../../core/errors.js';
import type { OpenTaskState } from '../assignment.js';
import type { CopySurroundings } from '../restore/changelog-copy.js';
import { Follower, type StandbyProgress } from '../restore/follower.js';
import type { TaskState } from '../task-state.js';
import type { FollowedTask } from './followed-task.js';

export interface StandbyTaskOptions extends CopySurroundings {
  readonly application: string;
  readonly openState: OpenTaskState;
  /** It is over, by itself or because it was told so: nothing is open here any more. */
  readonly ended: () => void;
}

const AFTER_FAILURE_MS = 30_000;
/** What is damaged is set aside each time: a disk that goes on damaging must not be filled by that. */
const AFTER_DAMAGE_MS = 20 * 60_000;

/** The copy of one task that another instance runs: its state, open here, and the follower that fills it (S10). */
export class StandbyTask {
  private state: TaskState | undefined;
  private follower: Follower | undefined;
  private readonly opened: Promise<void>;
  private following: Promise<void> = Promise.resolve();
  private ending: Promise<TaskState | undefined> | undefined;
  private failure: unknown;

  constructor(
    readonly task: FollowedTask,
    private readonly options: StandbyTaskOptions,
  ) {
    this.opened = this.open();
  }

  /** Every store was at the end of its changelog at least once. */
  get wasComplete(): boolean {
    return this.follower?.wasComplete ?? false;
  }

  /** It is being ended. */
  get ends(): boolean {
    return this.ending !== undefined;
  }

  /** How long to leave this task alone, in milliseconds, now that the copy has ended. */
  get pauseMs(): number {
    if (this.failure === undefined) return 0;
    return this.failure instanceof StoreCorruptedError ? AFTER_DAMAGE_MS : AFTER_FAILURE_MS;
  }

  /** What was copied until now, for readers beside it; undefined before it is open and once it ends. */
  get readable(): TaskState | undefined {
    return this.ends ? undefined : this.state;
  }

  /** One entry a store; empty until the state is open. */
  get progress(): readonly StandbyProgress[] {
    return this.follower?.status() ?? [];
  }

  /** The task comes here: what was copied is written, and the open state is the caller's. Undefined when there is none. */
  async handOver(): Promise<TaskState | undefined> {
    if (this.ending) {
      await this.ending;
      return undefined;
    }
    return this.end(async (state) => {
      if (this.failure === undefined) return state;
      await this.close(state);
      return undefined;
    });
  }

  /** The copy is not wanted any more: it stays on disk, closed. Does not reject. */
  async stop(): Promise<void> {
    await (this.ending ??
      this.end(async (state) => {
        await this.close(state);
        return undefined;
      }));
  }

  /** Its files are damaged: they are set aside, and the next copy starts from nothing (E4). */
  damaged(problem: string): Promise<void> {
    this.failure ??= new StoreCorruptedError(this.task.directory, problem);
    this.state?.condemn(problem);
    return this.stop();
  }

  private end(last: (state: TaskState | undefined) => Promise<TaskState | undefined>): Promise<TaskState | undefined> {
    this.ending = (async () => {
      await this.opened;
      await this.follower?.stop();
      await this.following;
      const state = await last(this.state);
      this.state = undefined;
      this.options.ended();
      return state;
    })();
    return this.ending;
  }

  /** Does not reject: a copy that cannot be made is no reason to end what runs. */
  private async open(): Promise<void> {
    const { task, options } = this;
    const { application, openState, logger } = options;
    try {
      // Where another process has the directory, a copy beside it would be of no use.
      this.state = await openState({ application, directory: task.directory, stores: task.stores, logger, onlyHere: true });
      this.follower = new Follower({ ...options, storages: this.state.restorable(task.changelogs) });
    } catch (error) {
      this.fail(error);
      return;
    }
    if (this.ending) return;
    logger.info({ stores: task.changelogs.map(({ store }) => store) }, 'following the changelogs of a task that another instance runs');
    this.following = this.follower.follow().catch((error: unknown) => this.fail(error));
  }

  private fail(error: unknown): void {
    const { task, options } = this;
    this.failure = error;
    if (error instanceof StoreError && error.code === 'store/locked') {
      options.logger.debug({ directory: task.directory }, 'another process has the state directory of the task: it is not followed here');
    } else {
      const code = error instanceof KstreamdError ? error.code : undefined;
      options.logger.warn({ err: messageOf(error), code }, 'a standby copy failed; it is tried again later');
    }
    if (error instanceof StoreCorruptedError) this.state?.condemn(error.message);
    else this.state?.distrust();
    void this.stop();
  }

  private async close(state: TaskState | undefined): Promise<void> {
    await state?.close().catch((error: unknown) => this.options.logger.warn({ err: messageOf(error) }, 'closing a standby copy failed'));
  }
}
