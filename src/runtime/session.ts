import { DeliveryError, messageOf, RetriableError, StoreCorruptedError, TaskMigratedError } from '../core/errors.js';
import { Assignment, type OpenTaskState } from './assignment.js';
import type { BatchPace } from './batch-pace.js';
import type { Clients } from './clients.js';
import { Commit, OutputsLost } from './commit.js';
import { Cycle } from './cycle.js';
import { FlushPolicy } from './flush-policy.js';
import type { GlobalTables } from './globals/global-tables.js';
import { Handover } from './handover.js';
import { Intake } from './intake.js';
import { instanceTaken, MembershipLost } from './membership-lost.js';
import type { EngineMetrics } from './metrics.js';
import type { MidBatchCommits } from './mid-batch-commits.js';
import { checkPlan } from './plan.js';
import { Purge } from './purge.js';
import type { QueryParts } from './queries/store-queries.js';
import { RebalanceRequests } from './rebalance.js';
import { ChangelogReader } from './restore/changelog-reader.js';
import type { Signal } from './signal.js';
import { openStandbys } from './standby/open-standbys.js';
import type { Standbys } from './standby/standbys.js';
import { StateDamage } from './state-damage.js';
import type { WorkParts } from './status.js';
import type { TaskSet } from './task-set.js';
import { Undoing } from './undoing.js';
import { Watch } from './watch.js';
import type { WorkerOptions } from './worker-options.js';

/** Thrown by a wait that the shutdown ends. */
class Stopped extends Error {}

/** What outlives a membership is the worker's. */
export type SessionOptions = WorkerOptions & {
  readonly engineMetrics: EngineMetrics;
  readonly tasks: TaskSet;
  readonly wake: Signal;
  readonly pace: BatchPace;
  /** Of the worker; loaded before the membership begins (S6). */
  readonly globals: GlobalTables | undefined;
};

const RETRY_MS = 500;
const IDLE_MS = 1000;

/**
 * One membership of the group, from joining to leaving. One loop does everything in turn; only reading, and the restore of
 * tasks that are yet to start, go on beside it.
 */
export class Session {
  private readonly requests: RebalanceRequests;
  readonly intake: Intake;
  private readonly flush: FlushPolicy;
  private readonly commit: Commit;
  private readonly undoing: Undoing;
  private readonly cycle: Cycle;
  private readonly purge: Purge;
  private readonly handover: Handover;
  private readonly changelogs: ChangelogReader | undefined;
  private readonly standbys: Standbys | undefined;
  private readonly damage: StateDamage;
  private stopping = false;
  private failure: { error: unknown } | undefined;
  private lastCommit = 0;

  constructor(
    readonly clients: Clients,
    private readonly options: SessionOptions,
  ) {
    const { member, reader, sink, admin, plan } = clients;
    const { engineMetrics: metrics, tasks, wake, clock, logger, topology } = options;
    const now = (): number => clock.now();
    this.requests = new RebalanceRequests(() => wake.notify());
    this.intake = new Intake({
      reader,
      metrics,
      logger,
      maxBytes: options.batch.maxBytes,
      deliver: (raw) => tasks.deliver(raw),
      assigned: () => tasks.partitions,
      awaited: () => tasks.awaited,
      delivered: () => tasks.noteRead(reader),
      arrived: () => wake.notify(),
      failed: (error) => this.fail(error),
    });
    this.damage = new StateDamage(clock);
    this.flush = new FlushPolicy(options.commit, now);
    const readOnFor = <T>(answer: Promise<T>): Promise<T> => this.intake.readOnFor(answer);
    this.commit = new Commit({ member, sink, admin, flush: this.flush, readOnFor, metrics, logger, now });
    this.undoing = new Undoing({ ...options, reader, sink, intake: this.intake, commit: this.commit });
    this.cycle = new Cycle({
      ...options,
      metrics,
      intake: this.intake,
      transaction: sink.transaction,
      pace: options.pace,
      gate: options.globals?.gate,
      interrupted: () => this.stopping || this.requests.pending || this.damage.pending || this.failure !== undefined || this.held,
    });
    this.purge = new Purge(admin, topology, logger);
    this.changelogs = clients.changelogs && new ChangelogReader(clients.changelogs, logger);
    this.standbys = this.changelogs && openStandbys({ ...options, plan, admin, reader: this.changelogs, metrics, committed: (of) => member.committed(of) });
    const openState: OpenTaskState = async (asked) => (await this.standbys?.handOver(asked.directory)) ?? options.openState(asked);
    const settings = { ...options, openState, sink, metrics, sleep: (ms: number) => this.pause(ms), commits: this.commits };
    const restore = { reader: this.changelogs as ChangelogReader, admin, clock, metrics };
    this.handover = new Handover(new Assignment(plan, member, reader, admin, restore, settings), {
      ...options,
      metrics,
      reader,
      intake: this.intake,
      commit: this.commit,
      transaction: sink.transaction,
      standbys: this.standbys,
      held: () => this.held,
      sleep: (ms) => this.sleep(ms),
      rewind: (reason) => this.undoing.rewind(reason, false),
      commitAll: () => this.commitOrGoBack(),
      failed: (error) => this.fail(error),
    });
  }

  /** The group has answered at least once. */
  get joined(): boolean {
    return this.handover.joined;
  }

  get restoring(): boolean {
    return this.handover.waiting > 0;
  }

  get status(): WorkParts {
    const { tasks, snapshots } = this.options;
    const endOf: WorkParts['endOf'] = (partition) => this.clients.reader.cachedEnd(partition);
    return {
      owned: tasks.owned,
      opening: this.handover.opening,
      endOf,
      last: this.commit.last,
      standby: this.standbys?.status(),
      snapshotOf: (owned) => snapshots?.statusOf(owned),
    };
  }

  /** What queries are answered from. */
  get queried(): QueryParts {
    return { plan: this.clients.plan, owned: this.options.tasks.owned, opening: this.handover.opening, standbys: this.standbys };
  }

  /** Resolves after `stop`; rejects with what ended it, a MembershipLost among them. */
  async run(): Promise<void> {
    const { plan, member, admin } = this.clients;
    const watch = new Watch(
      () => checkPlan(plan, admin),
      (error) => this.fail(error),
      this.options.watchMs,
    );
    try {
      await member.join([...new Set(plan.leads.map((lead) => lead.topic))], this.requests);
      this.intake.start();
      watch.start();
      this.standbys?.start();
      this.options.snapshots?.follow(() => this.options.tasks.owned);
      await this.loop();
    } finally {
      watch.stop();
      await this.leave();
    }
  }

  /** The state in a task's directory cannot be trusted: the task is restored as soon as its turn comes (E4). */
  damaged(directory: string, problem: string): void {
    if (this.options.globals?.damaged(directory, problem)) return;
    if (this.standbys?.damaged(directory, problem)) return;
    this.damage.note({ directory, problem });
    this.options.wake.notify();
  }

  stop(): void {
    this.stopping = true;
    this.options.wake.notify();
  }

  private async loop(): Promise<void> {
    while (!this.stopping) {
      try {
        await this.serveRequests();
        await this.damage.repair((damage) => this.handover.reopen(damage));
        await this.handover.startReady();
        if (this.failure) throw this.failure.error;
        if (this.held) await this.options.wake.wait(IDLE_MS);
        else await this.cycle.waitForWork(this.commitDue(), IDLE_MS);
        if (!this.held) await this.cycle.run();
        await this.commitIfDue();
      } catch (error) {
        if (error instanceof Stopped) break;
        await this.goOnAfter(error);
      }
    }
    await this.commitWhatIsDone();
    if (this.failure) throw this.failure.error;
    await this.options.snapshots?.takeLast();
  }

  /** What an error of the loop means; throws what ends the run. */
  private async goOnAfter(error: unknown): Promise<void> {
    if (error instanceof MembershipLost) throw error;
    if (error instanceof TaskMigratedError && instanceTaken(error)) throw this.undoing.lost(error);
    if ((error instanceof OutputsLost || error instanceof DeliveryError || isRemoval(error)) && !this.failure) return this.undoing.commitFailed(error);
    if (error instanceof RetriableError && !this.failure) return this.repeatCycle(error);
    if (error instanceof TaskMigratedError && this.clients.sink.transaction && !this.failure) throw this.undoing.lost(error);
    if (this.repairable(error) && !this.failure) return this.damaged(error.directory, error.message);
    await this.commitWhatIsDone();
    throw error;
  }

  /** A global table is not complete: nothing is processed (S6). */
  private get held(): boolean {
    return this.options.globals?.gate.closed ?? false;
  }

  /** A task that runs or is being restored here, or a global table, has met damage in its own files (E4). */
  private repairable(error: unknown): error is StoreCorruptedError {
    if (!(error instanceof StoreCorruptedError)) return false;
    return this.handover.holds(error.directory) || (this.options.globals?.holds(error.directory) ?? false);
  }

  /** The broker was in the way in the middle of a cycle: back off and do it again (E3). */
  private async repeatCycle(error: RetriableError): Promise<void> {
    this.options.logger.warn({ err: error.message, code: error.code }, 'the cycle was interrupted; trying again');
    await this.undoing.rewind('delivery', false);
    await this.sleep(RETRY_MS).catch(ignoreStop);
  }

  /** When the next commit or flush is due, in clock milliseconds; Infinity when nothing waits for one. */
  private commitDue(): number {
    const { tasks, commit } = this.options;
    const owned = tasks.owned.map(({ task }) => task);
    const flush = this.flush.next(owned);
    if (!tasks.dirty && !this.commit.refreshDue) return flush;
    const atOnce = tasks.commitRequested || this.commit.refreshDue || this.flush.overfull(owned);
    return Math.min(flush, Math.max(this.lastCommit + (atOnce ? 0 : commit.intervalMs), this.undoing.retryAt));
  }

  private async commitIfDue(): Promise<void> {
    const { tasks, clock } = this.options;
    tasks.observe(this.clients.reader);
    if (clock.now() >= this.commitDue()) await this.commitOrGoBack();
  }

  private async commitOrGoBack(): Promise<void> {
    try {
      await this.commitAll();
    } catch (error) {
      await this.undoing.commitFailed(error);
    }
  }

  private async commitAll(): Promise<void> {
    const { tasks, clock } = this.options;
    await this.commit.run(tasks.owned);
    this.lastCommit = clock.now();
    this.purge.afterCommit(tasks.owned);
  }

  /** In the middle of a batch nothing can be undone but what is in hand: whoever asked does that. */
  private readonly commits: MidBatchCommits = {
    now: async () => {
      try {
        await this.commitAll();
      } catch (error) {
        if (!(error instanceof OutputsLost && error.cause instanceof DeliveryError)) throw error;
        await this.undoing.abortTransaction();
        this.commit.rewound();
        throw error.cause;
      }
    },
    beforeMore: (waitMs) => {
      this.options.pace.end();
      return this.cycle.late(waitMs) ? this.commits.now() : undefined;
    },
  };

  private async serveRequests(): Promise<void> {
    for (let request = this.requests.take(); request; request = this.requests.take()) await this.handover.serve(request);
  }

  private async commitWhatIsDone(): Promise<void> {
    const { tasks, logger } = this.options;
    tasks.catchUp();
    tasks.dropWaiting(this.intake);
    try {
      await this.commit.run(tasks.owned, { flush: true });
    } catch (error) {
      logger.warn({ err: messageOf(error) }, 'the last commit failed; its records will be processed again');
    }
  }

  /** Leaves the group; what it asks for meanwhile is served here, since the loop has ended. */
  private async leave(): Promise<void> {
    const { wake, logger } = this.options;
    await this.intake.stop();
    await this.handover.abandonAll();
    await this.standbys?.stop();
    let left = false;
    const leaving = this.clients.member.leave().finally(() => {
      left = true;
      wake.notify();
    });
    leaving.catch((error: unknown) => logger.warn({ err: messageOf(error) }, 'leaving the group failed'));
    while (!left) {
      await this.serveRequests().catch((error: unknown) => logger.warn({ err: messageOf(error) }, 'giving up partitions failed'));
      if (!left && !this.requests.pending) await wake.wait(IDLE_MS);
    }
    await this.changelogs?.close();
  }

  /** Ends the run with this error, or has repaired what it tells of. */
  fail(error: unknown): void {
    if (this.repairable(error)) this.damaged(error.directory, error.message);
    else this.failure ??= { error };
    this.options.wake.notify();
  }

  /** Between two tries of a record or a callback. */
  private async pause(ms: number): Promise<void> {
    await this.commits.beforeMore(ms);
    await this.sleep(ms);
    this.options.pace.begin();
  }

  private async sleep(ms: number): Promise<void> {
    const until = performance.now() + ms;
    for (let left = ms; left > 0; left = until - performance.now()) {
      if (this.stopping || this.failure) throw new Stopped();
      await this.options.wake.wait(left);
    }
  }
}

/** Without transactions nothing was fenced: what is not committed is done again, here or by whoever owns the tasks now. */
function isRemoval(error: unknown): boolean {
  return error instanceof TaskMigratedError && error.code === 'broker/member-removed';
}

/** For a wait whose caller looks for itself whether to stop. */
function ignoreStop(error: unknown): void {
  if (!(error instanceof Stopped)) throw error;
}
