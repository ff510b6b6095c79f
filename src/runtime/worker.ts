import { BrokerError, messageOf } from '../core/errors.js';
import { BatchPace } from './batch-pace.js';
import { type Clients, connect, disconnect } from './clients.js';
import { GlobalTables } from './globals/global-tables.js';
import type { GlobalTableReader } from './globals/table-reader.js';
import { InstanceClaim } from './instance-claim.js';
import { MembershipLost } from './membership-lost.js';
import { EngineMetrics } from './metrics.js';
import { StoreQueries } from './queries/store-queries.js';
import { Wakefulness } from './queries/wakefulness.js';
import { Session } from './session.js';
import { Signal } from './signal.js';
import { describeWork, type WorkerStatus } from './status.js';
import { TaskSet } from './task-set.js';
import type { WorkerOptions } from './worker-options.js';

const CAUGHT_UP_POLL_MS = 50;
/** Between two tries to reach the broker for a new membership. */
const REJOIN_AFTER_MS = 1000;

/**
 * Runs one application in this process: joins the group, reads, runs the tasks' batches, and commits each
 * cycle (C1). When its producer or it itself is fenced, it closes its tasks without committing and joins anew (C3).
 */
export class Worker {
  /** Its stores, for readers outside (S11). */
  readonly queries: StoreQueries;
  private readonly wakefulness = new Wakefulness();
  private readonly wake = new Signal();
  private readonly metrics: EngineMetrics;
  private readonly tasks: TaskSet;
  private readonly pace = new BatchPace();
  private readonly globals: GlobalTables | undefined;
  private readonly claim = new InstanceClaim();
  private session: Session | undefined;
  private stopping = false;
  private reachable = true;

  constructor(private readonly options: WorkerOptions) {
    this.metrics = new EngineMetrics(options.metrics);
    this.tasks = new TaskSet(this.metrics);
    const opened = (): void => this.wake.notify();
    const failed = (error: unknown): void => this.session?.fail(error);
    this.globals = options.topology.globals.size === 0 ? undefined : new GlobalTables({ ...options, engineMetrics: this.metrics, opened, failed });
    this.queries = new StoreQueries({
      topology: options.topology,
      instanceId: options.instance?.id,
      parts: () => this.session?.queried,
      sure: () => this.wakefulness.sure,
      reachable: () => this.reachable,
      table: (name) => this.globalTable(name),
    });
    options.transport.onReachable((reachable) => {
      this.reachable = reachable;
      this.metrics.brokerReachable.set(reachable ? 1 : 0);
    });
  }

  /** Records wait to be processed. */
  get behind(): boolean {
    return this.session !== undefined && (this.tasks.waiting || !this.session.intake.drained);
  }

  /** Why the application is not ready, empty when it is. */
  get unready(): readonly string[] {
    const reasons: string[] = [];
    if (this.stopping) reasons.push('shutting down');
    const loading = this.globals?.loading ?? [];
    if (loading.length > 0) reasons.push(`reading global tables: ${loading.join(', ')}`);
    if (!this.session?.joined) reasons.push('waiting for the consumer group');
    if (this.session?.restoring) reasons.push('restoring state');
    if (!this.reachable) reasons.push('no broker is reachable');
    return reasons;
  }

  /** What it does now, for people and programs that watch it. */
  async status(): Promise<WorkerStatus> {
    const { session, globals } = this;
    const restoring = (globals?.loading.length ?? 0) > 0 || (session?.joined && session.restoring);
    const state = this.stopping ? 'stopping' : restoring ? 'restoring' : session?.joined ? 'running' : 'joining';
    const work = await describeWork(state, session?.status);
    return globals === undefined ? work : { ...work, globals: await globals.status() };
  }

  /** A global table for readers beside the tasks (S11); undefined for a name that is none, and before the worker has begun to read it. */
  globalTable(name: string): GlobalTableReader | undefined {
    return this.globals?.reading(name);
  }

  /** The state in a task's directory cannot be trusted: the task is closed, and restored while the others go on (E4). */
  damaged(directory: string, problem: string): void {
    if (!this.globals?.damaged(directory, problem)) this.session?.damaged(directory, problem);
  }

  /** Resolves after `stop`; rejects with what ended the run. */
  async run(): Promise<void> {
    try {
      await this.runOn();
    } finally {
      await this.globals?.close();
    }
  }

  private async runOn(): Promise<void> {
    for (let again = false; ; again = true) {
      let waitMs: number;
      try {
        return await this.runOnce();
      } catch (error) {
        waitMs = this.afterLoss(error, again);
      }
      if (!this.stopping) await this.wake.wait(waitMs);
      if (this.stopping) return;
    }
  }

  /** Finishes the batch that runs, commits, and leaves the group. */
  stop(): void {
    this.stopping = true;
    this.session?.stop();
    this.globals?.abandon();
    this.wake.notify();
  }

  /** Resolves when this instance alone runs all tasks and has processed and committed everything in their topics, or is stopped. */
  async caughtUp(): Promise<void> {
    while (!this.stopping && !(await this.isCaughtUp())) await new Promise((resolve) => setTimeout(resolve, CAUGHT_UP_POLL_MS));
  }

  private async isCaughtUp(): Promise<boolean> {
    const { session, tasks } = this;
    const quiet = (): boolean => !tasks.dirty && !tasks.waiting;
    if (!session || !quiet()) return false;
    const { plan, reader } = session.clients;
    if (tasks.owned.length < plan.leads.reduce((sum, lead) => sum + plan.count(lead.topic), 0)) return false;
    const ends = await Promise.all(tasks.positions.map(async (position) => position.offset >= (await reader.watermarks(position)).high));
    return ends.every(Boolean) && quiet();
  }

  /** How long to wait before joining anew, in milliseconds; throws what ends the run. */
  private afterLoss(error: unknown, again: boolean): number {
    const { logger } = this.options;
    if (error instanceof MembershipLost) {
      const waitMs = this.claim.waitAfter(error, performance.now());
      const { message, code } = error.cause;
      logger.warn({ err: message, code, waitMs }, 'this instance was fenced: its tasks are closed without a commit, and it joins anew');
      return waitMs;
    }
    const away = again && error instanceof BrokerError && error.code === 'broker/unreachable';
    if (!away) throw error;
    logger.warn({ err: error.message, code: error.code }, 'the broker cannot be reached to join anew; trying again');
    return REJOIN_AFTER_MS;
  }

  private async runOnce(): Promise<void> {
    const { options, metrics, tasks, wake } = this;
    const clients: Clients = await connect(options);
    this.metrics.brokerReachable.set(1);
    try {
      // Outside of the group, which then waits for nobody who reads tables (S6); those who write them may have been fenced just now.
      await this.globals?.load();
      if (this.stopping && this.globals !== undefined) return;
      const session = new Session(clients, { ...options, engineMetrics: metrics, tasks, wake, pace: this.pace, globals: this.globals });
      if (this.stopping) session.stop();
      this.session = session;
      this.wakefulness.start();
      await session.run();
    } finally {
      this.session = undefined;
      this.wakefulness.stop();
      await disconnect(clients, tasks, (reason) => options.logger.warn({ err: messageOf(reason) }, 'closing failed'));
    }
  }
}
