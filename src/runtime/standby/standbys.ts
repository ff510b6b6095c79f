import { KstreamdError, messageOf, RetriableError } from '../../core/errors.js';
import type { Sink, TopicAdmin, TopicPartition, Transport } from '../../core/transport.js';
import type { OpenTaskState } from '../assignment.js';
import type { Plan } from '../plan.js';
import type { CopySurroundings } from '../restore/changelog-copy.js';
import type { StandbyProgress } from '../restore/follower.js';
import { Signal } from '../signal.js';
import { liesIn } from '../state-damage.js';
import type { StandbyStatus } from '../status.js';
import type { TaskState } from '../task-state.js';
import type { Announcement } from './announcement.js';
import { Announcer } from './announcer.js';
import type { FollowedTask } from './followed-task.js';
import { type Instance, Instances, type OwnInstance } from './instances.js';
import { InstancesReader } from './instances-reader.js';
import { openInstancesTopic } from './instances-topic.js';
import { decide } from './placement.js';
import { StandbyTask } from './standby-task.js';
import { byFolder, type TaskName, taskName } from './task-name.js';

export interface StandbysOptions extends CopySurroundings {
  readonly application: string;
  readonly instance: OwnInstance;
  readonly plan: Plan;
  /** Those that are to have copies. */
  readonly tasks: readonly FollowedTask[];
  readonly openState: OpenTaskState;
  readonly admin: TopicAdmin;
  readonly transport: Pick<Transport, 'sink'>;
}

const LOOK_EVERY_MS = 1_000;
const START_RETRY_MS = 2_000;

/**
 * The standby copies of one membership (S10): tells the other instances which tasks this one runs, hears what they run, and
 * follows the changelogs of the tasks whose copies belong here. Queries find the other instances by it (S11). When its topic
 * cannot be used there are no copies, and everything else goes on.
 */
export class Standbys {
  private readonly instances = new Instances();
  private readonly own = new Set<TaskName>();
  private readonly copies = new Map<TaskName, StandbyTask>();
  private readonly retryAt = new Map<TaskName, number>();
  private readonly wake = new Signal();
  private readonly folders: ReadonlyMap<string, string>;
  private announcer: Announcer | undefined;
  private reader: InstancesReader | undefined;
  private stopping = false;
  private changed = false;
  /** Those last told as complete. */
  private told = '';

  constructor(private readonly options: StandbysOptions) {
    this.folders = new Map(options.plan.leads.map(({ topic, subtopology }) => [topic, subtopology.directory]));
  }

  start(): void {
    this.run().catch((error: unknown) => this.off(error));
  }

  /** Their tasks are about to be opened here. Partitions are those of lead topics. */
  claim(partitions: readonly TopicPartition[]): void {
    for (const name of this.namesOf(partitions)) this.own.add(name);
    this.change(true);
  }

  /** Their tasks were given up, and their state is closed. */
  release(partitions: readonly TopicPartition[]): void {
    for (const name of this.namesOf(partitions)) this.own.delete(name);
    this.change(true);
  }

  /** The open state of the task with this directory, with what was copied until now, which is the caller's from here on; undefined when there is no copy. */
  async handOver(directory: string): Promise<TaskState | undefined> {
    for (const copy of this.copies.values()) if (copy.task.directory === directory) return copy.handOver();
    return undefined;
  }

  /** The files of a copy are damaged (E4); false when there is no copy in the directory. */
  damaged(directory: string, problem: string): boolean {
    const damaged = [...this.copies.values()].find(({ task }) => liesIn(directory, task.directory));
    void damaged?.damaged(problem);
    return damaged !== undefined;
  }

  /** One entry a task that is followed here. */
  status(): StandbyStatus[] {
    return [...this.copies.values()].map(({ task, progress }) => ({ task: task.taskId, stores: progress }));
  }

  /** The application's instances as they are known here, this one included; empty until the topic was read. */
  known(): Instance[] {
    return this.instances.at(this.options.clock.now());
  }

  /** The copy of a store of a task that another instance runs (S11); undefined where there is none that can be read. */
  copyOf(name: TaskName, store: string): { readonly state: TaskState; readonly progress: readonly StandbyProgress[] } | undefined {
    const copy = this.copies.get(name);
    const state = copy?.readable;
    const copied = copy?.task.changelogs.some((changelog) => changelog.store === store);
    return copy && state && copied ? { state, progress: copy.progress } : undefined;
  }

  /** Ends all copies and says that the instance leaves. Does not reject. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.wake.notify();
    this.reader?.stop();
    await Promise.all([...this.copies.values()].map((copy) => copy.stop()));
    await this.announcer?.leave();
  }

  private async run(): Promise<void> {
    if (!(await this.begin())) return;
    while (!this.stopping) {
      this.changed = false;
      this.reconsider();
      this.tellOfCopies();
      if (!this.changed) await this.wake.wait(LOOK_EVERY_MS);
    }
  }

  /** Opens the topic; false when told to stop meanwhile. */
  private async begin(): Promise<boolean> {
    const { application, admin, transport, reader, clock, logger, instance } = this.options;
    const failed = (error: unknown): void => this.off(error);
    const topic = await this.untilDone(() => openInstancesTopic(application, admin));
    if (topic === undefined) return false;
    const heard = (): void => this.change(false);
    const reading = new InstancesReader({ topic, reader, instances: this.instances, clock, heard, failed });
    if ((await this.untilDone(() => reading.start().then(() => true))) === undefined) return false;
    this.reader = reading;
    const sink = await this.untilDone((): Promise<Sink> => transport.sink());
    if (this.stopping || sink === undefined) {
      reading.stop();
      await sink?.close();
      return false;
    }
    this.announcer = new Announcer({ topic, id: instance.id, sink, announcement: () => this.announcement(), clock, logger, failed });
    this.announcer.start();
    return true;
  }

  /** Repeats what the broker is in the way of; undefined when told to stop. */
  private async untilDone<T>(work: () => Promise<T>): Promise<T | undefined> {
    while (!this.stopping) {
      try {
        return await work();
      } catch (error) {
        // A topic that was just made is not known to every broker at once.
        const later = error instanceof RetriableError || (error instanceof KstreamdError && error.code === 'broker/unknown-topic');
        if (!later) throw error;
        await this.wake.wait(START_RETRY_MS);
      }
    }
    return undefined;
  }

  /** Starts and ends copies as the instances that are known now ask for. */
  private reconsider(): void {
    const { tasks, clock, instance } = this.options;
    const now = clock.now();
    const instances = this.instances.at(now);
    // What this instance tells does not come back: then nothing that it knows of the others is fresh either.
    if (!instances.some(({ id, alive }) => id === instance.id && alive)) return;
    for (const task of tasks) {
      if (this.own.has(task.name)) continue;
      const copy = this.copies.get(task.name);
      const decision = decide(task, instance, instances);
      if (copy !== undefined && !copy.ends && decision === 'leave') void this.leave(copy);
      else if (copy === undefined && decision === 'follow' && (this.retryAt.get(task.name) ?? 0) <= now) this.follow(task);
    }
  }

  private follow(task: FollowedTask): void {
    const logger = this.options.logger.child({ task: task.taskId });
    const copy: StandbyTask = new StandbyTask(task, { ...this.options, logger, ended: () => this.ended(copy) });
    this.copies.set(task.name, copy);
  }

  private async leave(copy: StandbyTask): Promise<void> {
    await copy.stop();
    this.options.logger.info({ task: copy.task.taskId }, 'a task’s changelogs are not followed any more: its copy stays on disk');
  }

  private ended(copy: StandbyTask): void {
    const { name } = copy.task;
    this.copies.delete(name);
    this.retryAt.set(name, this.options.clock.now() + copy.pauseMs);
    this.change(false);
  }

  /** Others may let go of copies that are complete here. */
  private tellOfCopies(): void {
    const complete = this.complete().join();
    if (complete === this.told) return;
    this.told = complete;
    this.announcer?.change();
  }

  private complete(): TaskName[] {
    return [...this.copies].filter(([, copy]) => copy.wasComplete).map(([name]) => name);
  }

  private announcement(): Announcement {
    const { instance, clock } = this.options;
    return { tasks: byFolder(this.own), copies: byFolder(this.complete()), place: instance.place, address: instance.address, time: clock.now() };
  }

  private change(own: boolean): void {
    this.changed = true;
    if (own) this.announcer?.change();
    this.wake.notify();
  }

  private off(error: unknown): void {
    if (this.stopping) return;
    this.stopping = true;
    const code = error instanceof KstreamdError ? error.code : undefined;
    this.options.logger.warn(
      { err: messageOf(error), code },
      'the topic in which instances tell of themselves cannot be used: no standby copies are kept here, and queries do not find other instances',
    );
    this.wake.notify();
    this.reader?.stop();
    void this.announcer?.close();
    this.announcer = undefined;
    for (const copy of this.copies.values()) void copy.stop();
  }

  private namesOf(partitions: readonly TopicPartition[]): TaskName[] {
    return partitions.flatMap(({ topic, partition }) => {
      const folder = this.folders.get(topic);
      return folder === undefined ? [] : [taskName(folder, partition)];
    });
  }
}
