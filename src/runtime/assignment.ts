import { join } from 'node:path';
import type { StoredPosition } from '../core/store.js';
import type { CommittedOffset, GroupMember, LogEnd, PartitionReader, TopicAdmin, TopicPartition } from '../core/transport.js';
import { partitionKey } from '../core/transport.js';
import type { ChangelogTopic } from './changelog-topics.js';
import { InputStarts } from './input-start.js';
import { decodeMetadata, encodeMetadata } from './offset-metadata.js';
import { OpeningTask } from './opening-task.js';
import type { LeadTopic, Plan } from './plan.js';
import type { Changelog } from './restore/changelog-copy.js';
import type { RestoreSurroundings } from './restore/restore-surroundings.js';
import type { Snapshots } from './snapshots/snapshots.js';
import { checkChangelogOf, warnOfEmptyStores } from './state-checks.js';
import { recordTimes } from './tables/record-times.js';
import { Task } from './task.js';
import { inputsOf } from './task-graph.js';
import type { TaskOptions } from './task-options.js';
import type { TaskState, TaskStateOptions } from './task-state.js';

/** Opens the stores of one task; the composition root knows the engines, formats and the cache. */
export type OpenTaskState = (options: Pick<TaskStateOptions, 'application' | 'directory' | 'stores' | 'logger' | 'onlyHere'>) => Promise<TaskState>;

/** What every task of a worker is given alike. */
export type TaskSettings = Pick<
  TaskOptions,
  'topology' | 'sink' | 'onError' | 'deadLetter' | 'clock' | 'logger' | 'metrics' | 'sleep' | 'commits' | 'globals'
> & {
  /** The application's folder under the state directory. */
  readonly stateDir: string;
  readonly openState: OpenTaskState;
  readonly snapshots?: Snapshots | undefined;
};

/** Makes the tasks of assigned partitions: opens their state, and finds where each input starts and what has to be restored. */
export class Assignment {
  private readonly starts: InputStarts;

  constructor(
    private readonly plan: Plan,
    private readonly member: GroupMember,
    private readonly reader: PartitionReader,
    private readonly admin: Pick<TopicAdmin, 'logEnds'>,
    private readonly restore: RestoreSurroundings,
    private readonly settings: TaskSettings,
  ) {
    this.starts = new InputStarts(settings.topology, reader, settings.clock, settings.logger);
  }

  /** The committed offsets of the inputs of tasks, as soon as no transaction is open that may change them; partitions as for `open`. */
  committed(partitions: readonly TopicPartition[]): Promise<readonly CommittedOffset[]> {
    return this.member.committed(partitions.flatMap((partition) => inputsOf(this.leadOf(partition).subtopology, partition.partition, this.plan.count)));
  }

  /**
   * Partitions are those of lead topics; each stands for one task and its partitions of the other topics. The committed
   * offsets come first: an end of a changelog that was asked for earlier may lie before what belongs to them (S4).
   */
  async open(partitions: readonly TopicPartition[], offsets: readonly CommittedOffset[]): Promise<OpeningTask[]> {
    const wanted = partitions.map((partition) => ({ lead: this.leadOf(partition), partition: partition.partition }));
    const committed = new Map(offsets.map((offset) => [partitionKey(offset), offset]));
    const opened: OpeningTask[] = [];
    try {
      for (const { lead, partition } of wanted) opened.push(await this.openTask(lead, partition, committed));
    } catch (error) {
      for (const task of opened) await task.abandon();
      throw error;
    }
    return opened;
  }

  /** Starts reading a task's inputs at their positions. */
  startReading(task: Task): void {
    this.reader.assign(task.queues.map((queue) => ({ ...queue.partition, offset: queue.position })));
  }

  private async openTask(lead: LeadTopic, partition: number, committed: ReadonlyMap<string, CommittedOffset>): Promise<OpeningTask> {
    const { settings, plan } = this;
    const { subtopology } = lead;
    const asked = join(settings.stateDir, subtopology.directory, String(partition));
    const logger = settings.logger.child({ task: `${subtopology.id}_${partition}` });
    const stores = subtopology.stores.map((name) => settings.topology.stores.get(name)).filter((store) => store !== undefined);
    const changelogs = plan.changelogsOf(subtopology);
    const state = await settings.openState({ application: settings.topology.applicationId, directory: asked, stores, logger });
    try {
      const stateDir = state.directory ?? asked;
      const stored = new Map((await state.positions()).map((position) => [partitionKey(position), position]));
      const localOnly = changelogs.length < stores.length;
      const tables = new Set(changelogs.filter(({ table }) => table).map(({ topic }) => topic));
      const wanted = inputsOf(subtopology, partition, plan.count);
      const ends = await this.changelogEnds(changelogs, partition, wanted, stored, committed, stateDir);
      const inputs = await Promise.all(
        wanted.map((input) => this.starts.of(input, committed.get(partitionKey(input)), { stored, directory: stateDir, localOnly, tables })),
      );
      warnOfEmptyStores(inputs, stored, committed, stores, ends, settings.metrics, logger);
      this.warnOfOtherLead(lead, inputs, committed, logger);
      const task = new Task({ ...settings, subtopology, partition, inputs, state, stateDir, changelogs, partitionCount: plan.count, logger });
      // What is replayed from the input would come twice if the changelogs were restored too.
      const replays = inputs.some((input) => input.offset < input.replayUntil);
      const restorable = state.restorable(restoredFrom(changelogs, inputs, replays, partition, settings.topology));
      const { topic, definition } = lead;
      const { files } = state;
      const application = settings.topology.applicationId;
      const snapshots = settings.snapshots?.subjectOf({ application, folder: subtopology.directory, partition, definition }, files, localOnly);
      const own = changelogs.map((changelog) => ({ ...changelog, partition }));
      const snapshot = snapshots && files && settings.snapshots?.restoreOf({ ...this.restore, subject: snapshots, files, changelogs: own, committed, logger });
      const starts = inputs
        .filter((input) => !committed.has(partitionKey(input)))
        .map((input) => ({ ...input, metadata: encodeMetadata({ partitionTime: input.partitionTime, definition, lead: topic }) }));
      return new OpeningTask({ task, lead: topic, definition, starts, snapshots }, restorable, [...committed.values()], { ...this.restore, logger }, snapshot);
    } catch (error) {
      await state.close();
      throw error;
    }
  }

  /** The ends of a task's changelogs, by topic, after it was made sure that they belong to the state and the offsets. */
  private async changelogEnds(
    changelogs: readonly ChangelogTopic[],
    partition: number,
    inputs: readonly TopicPartition[],
    stored: ReadonlyMap<string, StoredPosition>,
    committed: ReadonlyMap<string, CommittedOffset>,
    directory: string,
  ): Promise<ReadonlyMap<string, LogEnd>> {
    if (changelogs.length === 0) return new Map();
    const ends = await this.admin.logEnds(changelogs.map(({ topic }) => ({ topic, partition })));
    const byTopic = new Map(ends.map((end) => [end.topic, end]));
    const tables = new Set(changelogs.filter(({ table }) => table).map(({ topic }) => topic));
    // A table's topic has records of its own, and is read again where its offset is missing.
    const streams = inputs.filter(({ topic }) => !tables.has(topic));
    for (const changelog of changelogs) if (!changelog.table) checkChangelogOf(changelog, byTopic.get(changelog.topic), streams, stored, committed, directory);
    return byTopic;
  }

  private warnOfOtherLead(
    lead: LeadTopic,
    inputs: readonly TopicPartition[],
    committed: ReadonlyMap<string, CommittedOffset>,
    logger: TaskSettings['logger'],
  ): void {
    for (const input of inputs) {
      const before = decodeMetadata(committed.get(partitionKey(input))?.metadata ?? '');
      if (!before || before.lead === lead.topic) continue;
      logger.warn(
        { before: before.lead, now: lead.topic },
        'the topic that shares out the tasks has changed: make sure that no instance runs the old pipeline',
      );
      return;
    }
  }

  private leadOf(partition: TopicPartition): LeadTopic {
    const lead = this.plan.leads.find((one) => one.topic === partition.topic);
    if (!lead) throw new Error(`assigned ${partitionKey(partition)}, which is no lead topic`);
    return lead;
  }
}

/** What a task's stores are filled from before it starts (S4); tables up to where their input begins (S5). */
function restoredFrom(
  changelogs: readonly ChangelogTopic[],
  inputs: TaskOptions['inputs'],
  replays: boolean,
  partition: number,
  topology: TaskOptions['topology'],
): Changelog[] {
  return changelogs
    .filter(({ table }) => table || !replays)
    .map((changelog) => {
      if (!changelog.table) return { ...changelog, partition, table: undefined };
      const upTo = inputs.find(({ topic }) => topic === changelog.topic)?.offset ?? 0;
      return { ...changelog, partition, table: { upTo, times: recordTimes(topology, changelog.topic, partition) } };
    });
}
