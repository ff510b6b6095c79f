import { BrokerError, messageOf } from '../core/errors.js';
import { BatchPace } from './batch-pace.js';
import { type Clients, connect, disconnect } from './clients.js';
import { EngineMetrics } from './metrics.js';
import { ProducerLost, Session } from './session.js';
import { Signal } from './signal.js';
import { describeWork, type WorkerStatus } from './status.js';
import { TaskSet } from './task-set.js';
import type { WorkerOptions } from './worker-options.js';

const CAUGHT_UP_POLL_MS = 50;
/** A producer that was fenced is not replaced at once: whoever fenced it may do so again. */
const REJOIN_AFTER_MS = 1000;

/**
 * Runs one application in this process: joins the group, reads, runs the tasks' batches, and commits each
 * cycle (C1). When its producer is fenced, it closes its tasks without committing and joins anew (C3).
 */
export class Worker {
  private readonly wake = new Signal();
  private readonly metrics: EngineMetrics;
  private readonly tasks: TaskSet;
  private readonly pace = new BatchPace();
  private session: Session | undefined;
  private stopping = false;
  private reachable = true;

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
    if (!this.session?.joined) reasons.push('waiting for the consumer group');
    if (this.session?.restoring) reasons.push('restoring state');
    if (!this.reachable) reasons.push('no broker is reachable');
    return reasons;
  }

  /** What it does now, for people and programs that watch it. */
  status(): Promise<WorkerStatus> {
    const { session } = this;
    const state = this.stopping ? 'stopping' : !session?.joined ? 'joining' : session.restoring ? 'restoring' : 'running';
    return describeWork(state, session?.status);
  }

  /** The state in a task's directory cannot be trusted: the task is closed, and restored while the others go on (E4). */
  damaged(directory: string, problem: string): void {
    this.session?.damaged(directory, problem);
  }

  /** Resolves after `stop`; rejects with what ended the run. */
  async run(): Promise<void> {
    for (let again = false; ; again = true) {
      try {
        return await this.runOnce();
      } catch (error) {
        const away = again && error instanceof BrokerError && error.code === 'broker/unreachable';
        if (!(error instanceof ProducerLost || away)) throw error;
        this.options.logger.warn(
          { err: messageOf(error.cause) },
          'the producer was fenced: its tasks are closed without a commit, and this instance joins anew',
        );
      }
      if (!this.stopping) await this.wake.wait(REJOIN_AFTER_MS);
      if (this.stopping) return;
    }
  }

  /** Finishes the batch that runs, commits, and leaves the group. */
  stop(): void {
    this.stopping = true;
    this.session?.stop();
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

  private async runOnce(): Promise<void> {
    const { options, metrics, tasks, wake } = this;
    const clients: Clients = await connect(options);
    this.metrics.brokerReachable.set(1);
    const session = new Session(clients, { ...options, engineMetrics: metrics, tasks, wake, pace: this.pace });
    if (this.stopping) session.stop();
    this.session = session;
    try {
      await session.run();
    } finally {
      this.session = undefined;
      await disconnect(clients, tasks, (reason) => options.logger.warn({ err: messageOf(reason) }, 'closing failed'));
    }
  }
}
