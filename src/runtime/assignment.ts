import { join } from 'node:path';
import { StoreError } from '../core/errors.js';
import type { CommittedOffset, GroupMember, PartitionOffset, PartitionReader, TopicPartition } from '../core/transport.js';
import { partitionKey } from '../core/transport.js';
import type { StartOffset } from '../topology/nodes.js';
import type { OwnedTask } from './commit.js';
import { decodeMetadata } from './offset-metadata.js';
import type { LeadTopic, Plan } from './plan.js';
import { Task, type TaskOptions } from './task.js';
import { inputsOf } from './task-graph.js';
import type { TaskState, TaskStateOptions } from './task-state.js';

/** Opens the stores of one task; the composition root knows the engines, formats and the cache. */
export type OpenTaskState = (options: Pick<TaskStateOptions, 'application' | 'directory' | 'stores' | 'logger'>) => Promise<TaskState>;

/** What every task of a worker is given alike. */
export type TaskSettings = Pick<TaskOptions, 'topology' | 'sink' | 'onError' | 'deadLetter' | 'clock' | 'logger' | 'metrics' | 'sleep'> & {
  /** The application's folder under the state directory. */
  readonly stateDir: string;
  readonly openState: OpenTaskState;
};

/** Makes the tasks of assigned partitions: opens their state and finds where each input starts. */
export class Assignment {
  constructor(
    private readonly plan: Plan,
    private readonly member: GroupMember,
    private readonly reader: PartitionReader,
    private readonly settings: TaskSettings,
  ) {}

  /** Partitions are those of lead topics; each stands for one task and its partitions of the other topics. */
  async open(partitions: readonly TopicPartition[]): Promise<OwnedTask[]> {
    const wanted = partitions.map((partition) => ({ lead: this.leadOf(partition), partition: partition.partition }));
    const inputs = wanted.flatMap(({ lead, partition }) => inputsOf(lead.subtopology, partition, this.plan.count));
    const committed = new Map((await this.member.committed(inputs)).map((offset) => [partitionKey(offset), offset]));
    const opened: OwnedTask[] = [];
    try {
      for (const { lead, partition } of wanted) opened.push(await this.openTask(lead, partition, committed));
    } catch (error) {
      for (const { task } of opened) await task.close();
      throw error;
    }
    return opened;
  }

  /** Starts reading a task's inputs at their positions. */
  startReading(task: Task): void {
    this.reader.assign(task.queues.map((queue) => ({ ...queue.partition, offset: queue.position })));
  }

  private async openTask(lead: LeadTopic, partition: number, committed: ReadonlyMap<string, CommittedOffset>): Promise<OwnedTask> {
    const { settings, plan } = this;
    const { subtopology } = lead;
    const stateDir = join(settings.stateDir, subtopology.directory, String(partition));
    const logger = settings.logger.child({ task: `${subtopology.id}_${partition}` });
    const stores = subtopology.stores.map((name) => settings.topology.stores.get(name)).filter((store) => store !== undefined);
    const state = await settings.openState({ application: settings.topology.applicationId, directory: stateDir, stores, logger });
    try {
      const stored = new Map((await state.positions()).map((position) => [partitionKey(position), position.offset]));
      const inputs = await Promise.all(
        inputsOf(subtopology, partition, plan.count).map((input) =>
          this.startOf(input, committed.get(partitionKey(input)), stored, stores.length > 0, stateDir),
        ),
      );
      this.warnOfEmptyStart(
        inputs,
        stored,
        stores.map((store) => store.name),
        committed,
        logger,
      );
      this.warnOfOtherLead(lead, inputs, committed, logger);
      const task = new Task({ ...settings, subtopology, partition, inputs, state, stateDir, partitionCount: plan.count, logger });
      await task.init();
      return { task, lead: lead.topic, definition: lead.definition };
    } catch (error) {
      await state.close();
      throw error;
    }
  }

  /**
   * Where one input starts (C4, C5): at the committed offset, or, when a flush was interrupted, at the store's
   * older position, replaying up to the committed one with outputs dropped.
   */
  private async startOf(
    input: TopicPartition,
    committed: CommittedOffset | undefined,
    stored: ReadonlyMap<string, number>,
    stateful: boolean,
    stateDir: string,
  ): Promise<TaskOptions['inputs'][number]> {
    const name = partitionKey(input);
    const position = stored.get(name);
    if (committed === undefined) {
      if (position !== undefined) {
        throw new StoreError('state/offset-missing', `the group has no committed offset for ${name}, but "${stateDir}" holds its state up to ${position}`, {
          fix: `set the group's offset of ${name} to ${position}, or remove "${stateDir}" to start over`,
        });
      }
      return { ...input, offset: await this.firstOffset(input), partitionTime: -1, replayUntil: 0 };
    }
    if (position !== undefined && position > committed.offset) {
      throw new StoreError('state/ahead', `the state in "${stateDir}" holds ${name} up to ${position}, but the group has committed only ${committed.offset}`, {
        fix: `set the group's offset back to ${position}, or remove "${stateDir}" to start from the committed offset with empty stores`,
      });
    }
    const partitionTime = decodeMetadata(committed.metadata)?.partitionTime ?? -1;
    const offset = stateful && position !== undefined ? await this.firstReplayed(input, position, committed.offset) : committed.offset;
    return { ...input, offset, partitionTime, replayUntil: committed.offset };
  }

  /** Where a replay can begin: what the topic no longer holds is missing from the state for good. */
  private async firstReplayed(input: TopicPartition, position: number, committed: number): Promise<number> {
    if (position === committed) return position;
    const { low } = await this.reader.watermarks(input);
    if (low <= position) return position;
    this.settings.logger.warn({ ...input, from: position, to: Math.min(low, committed) }, 'the topic no longer holds records that the local state misses');
    return Math.min(low, committed);
  }

  private async firstOffset(input: TopicPartition): Promise<number> {
    const start = this.startSetting(input.topic);
    const { low, high } = await this.reader.watermarks(input);
    if (start === 'earliest') return low;
    if (start === 'latest') return high;
    if (start === 'committed') {
      throw new StoreError('state/offset-missing', `the group has no committed offset for ${partitionKey(input)}, and "start: committed" asks for one`, {
        fix: 'set the offset with kafka-consumer-groups.sh, or use "start: earliest" or "latest"',
      });
    }
    const time = 'at' in start ? start.at : this.settings.clock.now() - start.ago;
    return this.reader.offsetForTime(input, time);
  }

  private startSetting(topic: string): StartOffset {
    for (const node of this.settings.topology.nodes.values()) {
      if (node.kind === 'source' && node.topics.includes(topic)) return node.start ?? 'earliest';
    }
    return 'earliest';
  }

  /** Until stores have changelogs, state that is not on this disk is gone (C4). */
  private warnOfEmptyStart(
    inputs: readonly PartitionOffset[],
    stored: ReadonlyMap<string, number>,
    stores: readonly string[],
    committed: ReadonlyMap<string, CommittedOffset>,
    logger: TaskSettings['logger'],
  ): void {
    const without = inputs.filter((input) => (committed.get(partitionKey(input))?.offset ?? 0) > 0 && !stored.has(partitionKey(input)));
    if (stores.length === 0 || without.length === 0) return;
    for (const store of stores) this.settings.metrics.emptyStart(store);
    logger.warn({ stores, partitions: without.map(partitionKey) }, 'no local state for committed input: these stores start empty here');
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
