import type { Clock } from '../core/clock.js';
import { DeliveryError, KstreamdError, messageOf, RetriableError, TaskMigratedError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import type { Metrics } from '../core/metrics.js';
import type { ErrorPolicy } from '../core/policy.js';
import { type GroupMember, type PartitionReader, partitionKey, type Sink, type TopicAdmin, type Transport } from '../core/transport.js';
import type { Topology } from '../topology/topology.js';
import { Assignment, type OpenTaskState } from './assignment.js';
import { Commit, type CommitAttempt, OutputsLost, type OwnedTask } from './commit.js';
import { Cycle } from './cycle.js';
import { Intake } from './intake.js';
import { EngineMetrics } from './metrics.js';
import { checkPlan, makePlan, type Plan } from './plan.js';
import { Purge } from './purge.js';
import { RebalanceRequests } from './rebalance.js';
import { Signal } from './signal.js';
import { TaskSet } from './task-set.js';
import { Watch } from './watch.js';

/** What a worker runs and with what. */
export interface WorkerOptions {
  readonly topology: Topology;
  readonly transport: Transport;
  readonly openState: OpenTaskState;
  /** The application's folder under the state directory. */
  readonly stateDir: string;
  readonly instanceId: string | undefined;
  readonly batch: { readonly maxRecords: number; readonly maxWaitMs: number; readonly maxBytes: number };
  readonly commitIntervalMs: number;
  readonly onError: ErrorPolicy;
  readonly deadLetter: string | undefined;
  /** A batch that takes longer is reported with its step's name (C6). */
  readonly slowBatchMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** Thrown by a wait that the shutdown ends. */
class Stopped extends Error {}

const RETRY_MS = 500;
const IDLE_MS = 1000;
const REVOKE_MS = 5000;
const CAUGHT_UP_POLL_MS = 50;

interface Clients {
  readonly plan: Plan;
  readonly member: GroupMember;
  readonly reader: PartitionReader;
  readonly sink: Sink;
  readonly admin: TopicAdmin;
}

/**
 * Runs one application in this process: joins the group, reads, runs the tasks' batches, and commits each
 * cycle (C1). One loop does everything in turn; only reading goes on beside it.
 */
export class Worker {
  private readonly wake = new Signal();
  private readonly requests = new RebalanceRequests(() => this.wake.notify());
  private readonly metrics: EngineMetrics;
  private readonly tasks: TaskSet;
  private clients: Clients | undefined;
  private stopping = false;
  private failure: { error: unknown } | undefined;
  /** The group has answered at least once. */
  private joined = false;
  private reachable = true;
  private retryAt = 0;

  constructor(private readonly options: WorkerOptions) {
    this.metrics = new EngineMetrics(options.metrics);
    this.tasks = new TaskSet(this.metrics);
    options.transport.onReachable((reachable) => {
      this.reachable = reachable;
      this.metrics.brokerReachable.set(reachable ? 1 : 0);
    });
  }

  /** Why the application is not ready, empty when it is. */
  get unready(): readonly string[] {
    const reasons: string[] = [];
    if (this.stopping) reasons.push('shutting down');
    if (!this.joined) reasons.push('waiting for the consumer group');
    if (!this.reachable) reasons.push('no broker is reachable');
    return reasons;
  }

  /** Resolves after `stop`; rejects with what ended the run. */
  async run(): Promise<void> {
    const { transport, topology, deadLetter, instanceId } = this.options;
    const admin = await transport.admin();
    let clients: Clients;
    try {
      const plan = await makePlan(topology, admin, deadLetter);
      const sink = await transport.sink();
      const { member, reader } = await transport.member({ groupId: topology.applicationId, instanceId });
      clients = { plan, member, reader, sink, admin };
    } catch (error) {
      await admin.close();
      throw error;
    }
    await this.runWith(clients);
  }

  /** Finishes the batch that runs, commits, and leaves the group. */
  stop(): void {
    this.stopping = true;
    this.wake.notify();
  }

  /** Resolves when this instance alone runs all tasks and has processed and committed everything in their topics, or is stopped. */
  async caughtUp(): Promise<void> {
    while (!this.stopping && !(await this.isCaughtUp())) await new Promise((resolve) => setTimeout(resolve, CAUGHT_UP_POLL_MS));
  }

  private async isCaughtUp(): Promise<boolean> {
    const { clients, tasks } = this;
    const quiet = (): boolean => !tasks.dirty && !tasks.waiting;
    if (!clients || !quiet()) return false;
    const { plan, reader } = clients;
    if (tasks.owned.length < plan.leads.reduce((sum, lead) => sum + plan.count(lead.topic), 0)) return false;
    const ends = await Promise.all(tasks.positions.map(async (position) => position.offset >= (await reader.watermarks(position)).high));
    return ends.every(Boolean) && quiet();
  }

  private async runWith(clients: Clients): Promise<void> {
    this.clients = clients;
    this.metrics.brokerReachable.set(1);
    const { member, reader, sink, admin, plan } = clients;
    const { options, metrics, tasks } = this;
    const intake = new Intake({
      reader,
      metrics,
      logger: options.logger,
      maxBytes: options.batch.maxBytes,
      deliver: (raw) => tasks.deliver(raw),
      assigned: () => tasks.partitions,
      delivered: () => tasks.noteRead(reader),
      arrived: () => this.wake.notify(),
      failed: (error) => this.fail(error),
    });
    const commit = new Commit({ member, sink, metrics, readOnFor: (answer) => intake.readOnFor(answer), now: () => options.clock.now() });
    const assignment = new Assignment(plan, member, reader, { ...options, sink, metrics, sleep: (ms) => this.sleep(ms) });
    const cycle = new Cycle({
      ...options,
      tasks,
      intake,
      metrics,
      wake: this.wake,
      interrupted: () => this.stopping || this.requests.pending || this.failure !== undefined,
    });
    const purge = new Purge(admin, options.topology, options.logger);
    const watch = new Watch(
      () => checkPlan(plan, admin),
      (error) => this.fail(error),
    );
    const parts: Parts = { ...clients, intake, commit, assignment, cycle, purge };
    try {
      await member.join([...new Set(plan.leads.map((lead) => lead.topic))], this.requests);
      intake.start();
      watch.start();
      await this.loop(parts);
    } finally {
      watch.stop();
      await this.leave(parts);
    }
  }

  private async loop(parts: Parts): Promise<void> {
    const { cycle } = parts;
    while (!this.stopping) {
      try {
        await this.serveRequests(parts);
        if (this.failure) throw this.failure.error;
        await cycle.waitForWork(this.commitDue(parts.commit), IDLE_MS);
        await cycle.run();
      } catch (error) {
        if (error instanceof Stopped) break;
        if (error instanceof RetriableError && !this.failure) {
          await this.repeatCycle(error, parts);
          continue;
        }
        await this.commitWhatIsDone(parts);
        throw error;
      }
      await this.commitIfDue(parts);
    }
    await this.commitWhatIsDone(parts);
    if (this.failure) throw this.failure.error;
  }

  /** The broker was in the way in the middle of a cycle: back off and do it again (E3). */
  private async repeatCycle(error: RetriableError, parts: Parts): Promise<void> {
    this.options.logger.warn({ err: error.message, code: error.code }, 'the cycle was interrupted; trying again');
    await this.rewind('delivery', false, parts);
    await this.sleep(RETRY_MS).catch(ignoreStop);
  }

  private lastCommit = 0;

  /** When the next commit is due, in clock milliseconds; Infinity when nothing waits for one. */
  private commitDue(commit: Commit): number {
    if (!this.tasks.dirty && !commit.refreshDue) return Number.POSITIVE_INFINITY;
    const atOnce = this.tasks.commitRequested || commit.refreshDue;
    return Math.max(this.lastCommit + (atOnce ? 0 : this.options.commitIntervalMs), this.retryAt);
  }

  private async commitIfDue(parts: Parts): Promise<void> {
    this.tasks.observe(parts.reader);
    if (this.options.clock.now() < this.commitDue(parts.commit)) return;
    try {
      await parts.commit.run(this.tasks.owned);
      this.lastCommit = this.options.clock.now();
      parts.purge.afterCommit(this.tasks.owned);
    } catch (error) {
      this.retryAt = this.options.clock.now() + RETRY_MS;
      await this.commitFailed(error, parts);
    }
  }

  /** What a failed commit means for the cycle (C2, E2, E3). */
  private async commitFailed(error: unknown, parts: Parts): Promise<void> {
    const { logger } = this.options;
    const cause = error instanceof OutputsLost ? error.cause : error;
    if (!(cause instanceof KstreamdError)) throw cause;
    const about = { err: cause.message, code: cause.code };
    if (cause instanceof TaskMigratedError) {
      logger.warn(about, 'this member lost its tasks; dropping what is not committed');
      await this.rewind('lost', false, parts);
    } else if (cause instanceof DeliveryError) {
      logger.warn(about, 'an output was refused; repeating the cycle record by record');
      await this.rewind('delivery', true, parts);
    } else if (cause instanceof RetriableError) {
      logger.warn(about, 'the commit failed; trying again');
      if (error instanceof OutputsLost) await this.rewind('delivery', false, parts);
    } else throw cause;
  }

  /** Everything since the last commit is undone and read again (B6, E2). */
  private async rewind(reason: string, isolate: boolean, { intake, reader, commit }: Parts): Promise<void> {
    this.metrics.rewound(reason);
    await intake.whileDropping(async () => {
      for (const { task } of this.tasks.owned) await this.tasks.abort(task, isolate, intake);
      await reader.seek(this.tasks.positions);
    });
    commit.rewound();
  }

  private async serveRequests(parts: Parts): Promise<void> {
    for (let request = this.requests.take(); request; request = this.requests.take()) {
      const { event, partitions, done, failed } = request;
      this.metrics.rebalanced(event);
      if (partitions.length > 0) this.options.logger.info({ event, partitions: partitions.map(partitionKey) }, `partitions ${event}`);
      try {
        if (event === 'assigned') await this.assign(partitions, parts);
        else await this.giveUp(partitions, event === 'lost', parts);
        done();
      } catch (error) {
        failed(error);
        throw error;
      }
    }
  }

  private async assign(partitions: Parameters<Assignment['open']>[0], parts: Parts): Promise<void> {
    const { assignment, intake, commit } = parts;
    const opened = await this.opened(partitions, assignment);
    for (const owned of opened) {
      this.tasks.add(owned);
      assignment.startReading(owned.task);
    }
    this.joined = true;
    intake.forgetPauses();
    commit.refreshSoon();
  }

  /** Tries again while the broker is in the way (E3). */
  private async opened(partitions: Parameters<Assignment['open']>[0], assignment: Assignment): Promise<OwnedTask[]> {
    for (;;) {
      try {
        return await assignment.open(partitions);
      } catch (error) {
        if (!(error instanceof RetriableError)) throw error;
        this.options.logger.warn({ err: error.message, code: error.code }, 'opening tasks failed; trying again');
        await this.sleep(RETRY_MS);
      }
    }
  }

  private async giveUp(partitions: Parameters<Assignment['open']>[0], lost: boolean, parts: Parts): Promise<void> {
    const { reader, intake, commit } = parts;
    const leaving = this.tasks.ofPartitions(partitions);
    reader.unassign(leaving.flatMap(({ task }) => task.queues.map((queue) => queue.partition)));
    for (const { task } of leaving) this.tasks.drop(task, intake);
    if (!lost && leaving.length > 0) await this.commitBeforeLeaving(parts);
    for (const { task } of leaving) {
      this.tasks.remove(task);
      commit.forget(task);
      await task.close();
    }
  }

  /** Commits within 5 s, else the partitions go uncommitted and their records are processed again (C5). */
  private async commitBeforeLeaving(parts: Parts): Promise<void> {
    const attempt: CommitAttempt = { abandoned: false };
    const timeout = timeoutAfter(REVOKE_MS);
    try {
      await Promise.race([parts.commit.run(this.tasks.owned, attempt), timeout.elapsed]);
    } catch (error) {
      attempt.abandoned = true;
      this.options.logger.warn({ err: messageOf(error) }, 'could not commit before giving partitions up; their last records will be processed again');
      if (error instanceof OutputsLost) await this.rewind('delivery', false, parts);
    } finally {
      timeout.clear();
    }
  }

  private async commitWhatIsDone(parts: Parts): Promise<void> {
    this.tasks.catchUp();
    this.tasks.dropWaiting(parts.intake);
    try {
      await parts.commit.run(this.tasks.owned);
    } catch (error) {
      this.options.logger.warn({ err: messageOf(error) }, 'the last commit failed; its records will be processed again');
    }
  }

  /** Leaves the group; what it asks for meanwhile is served here, since the loop has ended. */
  private async leave(parts: Parts): Promise<void> {
    await parts.intake.stop();
    let left = false;
    const leaving = parts.member.leave().finally(() => {
      left = true;
      this.wake.notify();
    });
    leaving.catch(() => {});
    while (!left) {
      await this.serveRequests(parts).catch((error: unknown) => this.options.logger.warn({ err: messageOf(error) }, 'giving up partitions failed'));
      if (!left && !this.requests.pending) await this.wake.wait(IDLE_MS);
    }
    await this.close(parts, leaving);
  }

  private async close({ reader, sink, admin }: Clients, leaving: Promise<void>): Promise<void> {
    const closed = await Promise.allSettled([leaving, ...this.tasks.owned.map(({ task }) => task.close()), reader.close(), sink.close(), admin.close()]);
    for (const result of closed) {
      if (result.status === 'rejected') this.options.logger.warn({ err: messageOf(result.reason) }, 'closing failed');
    }
  }

  private fail(error: unknown): void {
    this.failure ??= { error };
    this.wake.notify();
  }

  private async sleep(ms: number): Promise<void> {
    const until = performance.now() + ms;
    for (let left = ms; left > 0; left = until - performance.now()) {
      if (this.stopping || this.failure) throw new Stopped();
      await this.wake.wait(left);
    }
  }
}

interface Parts extends Clients {
  readonly intake: Intake;
  readonly commit: Commit;
  readonly assignment: Assignment;
  readonly cycle: Cycle;
  readonly purge: Purge;
}

/** For a wait whose caller looks for itself whether to stop. */
function ignoreStop(error: unknown): void {
  if (!(error instanceof Stopped)) throw error;
}

function timeoutAfter(ms: number): { elapsed: Promise<never>; clear: () => void } {
  let timer: NodeJS.Timeout | undefined;
  const elapsed = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not acknowledged within ${ms} ms`)), ms);
  });
  return { elapsed, clear: () => clearTimeout(timer) };
}
