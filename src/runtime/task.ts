import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DeliveryError, RecordError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import { andThen, isPromise, type MaybePromise } from '../core/maybe.js';
import type { Origin } from '../core/origin.js';
import type { Cancellable, PunctuationType, Punctuator, ScheduleOptions } from '../core/processor.js';
import type { RawBatch } from '../core/raw-batch.js';
import type { StateStore } from '../core/store-types.js';
import { partitionKey, type TopicPartition } from '../core/transport.js';
import type { ChangelogTopic } from './changelog-topics.js';
import { ChangelogWriter } from './changelog-writer.js';
import type { TaskView } from './context.js';
import { asRecordError, SingleRecordsNeeded } from './failure.js';
import { InputQueue } from './input-queue.js';
import { OutputBuffer } from './outputs.js';
import { RecordFailures } from './record-failures.js';
import { SourceRunner } from './source-runner.js';
import type { EventTimes } from './stores/event-times.js';
import { TaskGraph } from './task-graph.js';
import { TaskInputs } from './task-inputs.js';
import type { TaskOptions } from './task-options.js';
import { TaskPunctuation } from './task-punctuation.js';
import type { TaskState } from './task-state.js';
import { TaskTime, type TimeMark } from './task-time.js';

/**
 * One sub-topology × one partition. Takes batches of its inputs, runs them whole through its nodes, and undoes
 * and splits a batch that throws until the failing record stands alone (B6).
 */
export class Task implements TaskView {
  readonly taskId: string;
  readonly queues: readonly InputQueue[];
  readonly outputs: OutputBuffer;
  readonly state: TaskState;
  /** Node that is running or ran last, for reports of slow steps (C6). */
  currentNode = '';
  commitRequested = false;
  private singleRecords = false;
  /** Records of the batch that is being tried; 0 outside of one. */
  private attempting = 0;
  /** What was undone because an output was refused is being done again (E2). */
  private repeating = false;
  readonly inputs: TaskInputs;
  /** Inputs that are its tables' changelogs, with the ids of the topics (S5). */
  readonly tables: ReadonlyMap<string, string | undefined>;
  private readonly graph: TaskGraph;
  private readonly time: TaskTime;
  private readonly writer: ChangelogWriter;
  private readonly failures: RecordFailures;
  private readonly punctuation: TaskPunctuation;
  private lastCommit: TimeMark;

  constructor(private readonly options: TaskOptions) {
    const { subtopology, partition, sink, topology } = options;
    this.taskId = `${subtopology.id}_${partition}`;
    this.state = options.state;
    this.outputs = new OutputBuffer(sink, subtopology.mergeOutputs, (topic, records, bytes) => options.metrics.sent(topic, records, bytes));
    this.writer = new ChangelogWriter(options.state, options.changelogs, partition, sink, (topic, records, bytes) =>
      options.metrics.sent(topic, records, bytes),
    );
    this.queues = options.inputs.map((input) => this.openQueue(input));
    this.inputs = new TaskInputs(this.queues, options);
    this.tables = new Map(options.changelogs.filter(({ table }) => table).map(({ topic, topicId }) => [topic, topicId]));
    this.failures = new RecordFailures({ ...options, outputs: this.outputs });
    this.time = new TaskTime(this.queues, options.clock);
    this.graph = new TaskGraph(topology, subtopology, {
      task: this,
      outputs: this.outputs,
      sink,
      partitionCount: options.partitionCount,
      enter: (node) => {
        this.currentNode = node;
      },
    });
    this.punctuation = new TaskPunctuation({
      ...options,
      time: this.time,
      graph: this.graph,
      outputs: this.outputs,
      failures: this.failures,
      currentNode: () => this.currentNode,
      repeating: () => this.repeating,
      requestCommit: () => this.requestCommit(),
      undo: (before) => this.undoBatch(before),
    });
    this.lastCommit = this.time.mark();
  }

  get partition(): number {
    return this.options.partition;
  }

  get applicationId(): string {
    return this.options.topology.applicationId;
  }

  /** A directory of the plugins' own beside the task's stores; made when first asked for (R2). */
  get stateDir(): string {
    const directory = join(this.options.stateDir, 'files');
    mkdirSync(directory, { recursive: true });
    return directory;
  }

  get streamTime(): number {
    return this.time.streamTime;
  }

  get wallClockTime(): number {
    return this.options.clock.now();
  }

  get logger(): Logger {
    return this.options.logger;
  }

  get metrics(): TaskView['metrics'] {
    return this.options.metrics.registry;
  }

  async init(): Promise<void> {
    await this.graph.init();
    this.time.served = false;
    this.lastCommit = this.time.mark();
  }

  async close(): Promise<void> {
    try {
      await this.graph.close();
    } finally {
      await this.state.close();
    }
  }

  /** Something happened since the last commit. */
  get dirty(): boolean {
    return this.commitRequested || this.queues.some((queue) => queue.position !== queue.rewindTo);
  }

  requestCommit(): void {
    this.commitRequested = true;
  }

  schedule(node: string, intervalMs: number, type: PunctuationType, callback: Punctuator, options?: ScheduleOptions): Cancellable {
    return this.time.schedule(node, intervalMs, type, callback, options);
  }

  needSingleRecords(): void {
    if (this.singleRecords) return;
    this.singleRecords = true;
    if (this.attempting > 1) throw new SingleRecordsNeeded();
  }

  splitBatch(): void {
    if (this.attempting > 1) throw new SingleRecordsNeeded();
  }

  store(name: string, step?: string, times?: EventTimes): StateStore {
    const table = this.options.globals?.get(name);
    return table === undefined ? this.state.store(name, step, times) : this.state.viewOf(table, step, times);
  }

  queueOf(partition: TopicPartition): InputQueue | undefined {
    return this.queues.find((queue) => queue.partition.topic === partition.topic && queue.partition.partition === partition.partition);
  }

  /** Earliest wall-clock deadline in epoch milliseconds; Infinity when there is none. */
  get nextWallClock(): number {
    return this.replaying ? Number.POSITIVE_INFINITY : this.time.wall.earliest;
  }

  /** Records are taken again whose effects only the stores miss: no punctuation fires (C4). */
  private get replaying(): boolean {
    return this.queues.some((queue) => queue.replaying);
  }

  /** The next input that has records and may give some to this cycle (T2). */
  nextQueue(open: (queue: InputQueue) => boolean): InputQueue | undefined {
    return this.inputs.next(open);
  }

  /** Runs one batch of at most `max` records of the queue. */
  runBatch(queue: InputQueue, max: number): MaybePromise<void> {
    const stretch = queue.next(this.singleRecords ? 1 : max);
    if (stretch === undefined) return;
    this.outputs.muted = queue.replaying;
    const { raw, from } = stretch;
    const to = this.inputs.endOfRun(queue, stretch);
    const condemned = to - from === 1 ? queue.condemnation(raw.offsetAt(from)) : undefined;
    if (condemned !== undefined) return this.leaveOut(asRecordError(condemned, originAt(raw, from), this.currentNode), undefined, queue, raw, from);
    return this.run(queue, raw, from, to);
  }

  private run(queue: InputQueue, raw: RawBatch, from: number, to: number): MaybePromise<void> {
    if (this.singleRecords && to - from > 1) return this.oneByOne(queue, raw, from, to);
    const before = this.time.mark();
    let end: MaybePromise<number>;
    try {
      end = this.attempt(queue, raw, from, to);
    } catch (error) {
      return this.recover(error, before, queue, raw, from, to);
    }
    if (isPromise(end)) {
      return end.then(
        (reached) => this.proceed(queue, raw, reached, to),
        (error: unknown) => this.recover(error, before, queue, raw, from, to),
      );
    }
    return this.proceed(queue, raw, end, to);
  }

  /** Everything that one batch does and that can be undone. Resolves to the index after the last record taken. */
  private attempt(queue: InputQueue, raw: RawBatch, from: number, to: number): MaybePromise<number> {
    this.attempting = to - from;
    const { records, end, skipped } = queue.source.read(raw, from, to, this.time, queue.replaying ? undefined : this.time.deadline);
    if (skipped > 0) this.options.metrics.dropped(queue.source.node.name, 'timestamp', skipped);
    const processed = records.length === 0 ? undefined : this.graph.dispatch(queue.source.node, records);
    const released = andThen(processed, () => this.outputs.release());
    return andThen(released, () => (this.acknowledgesEach(queue) ? this.options.sink.flush().then(() => end) : end));
  }

  /** While a refused output is looked for (E2); in transactions each stretch is committed instead. */
  private acknowledgesEach(queue: InputQueue): boolean {
    return queue.isolating && this.options.sink.transaction === undefined;
  }

  private proceed(queue: InputQueue, raw: RawBatch, end: number, to: number): MaybePromise<void> {
    this.attempting = 0;
    this.state.endBatch();
    queue.advanceTo(end);
    const { stream, streamTime } = this.time;
    const punctuated = streamTime < stream.earliest || this.replaying ? undefined : this.punctuation.fireDue('stream-time', stream, streamTime);
    if (end === to) return punctuated;
    return andThen(
      andThen(punctuated, () => this.options.commits.beforeMore()),
      () => this.run(queue, raw, end, to),
    );
  }

  private async recover(error: unknown, before: TimeMark, queue: InputQueue, raw: RawBatch, from: number, to: number): Promise<void> {
    this.undoBatch(before);
    if (error instanceof SingleRecordsNeeded) return this.oneByOne(queue, raw, from, to);
    if (!(error instanceof RecordError || error instanceof DeliveryError)) throw error;
    if (to - from === 1) return this.leaveOut(asRecordError(error, originAt(raw, from), this.currentNode), before, queue, raw, from);
    const middle = from + ((to - from) >> 1);
    await this.run(queue, raw, from, middle);
    await this.options.commits.beforeMore();
    await this.run(queue, raw, middle, to);
  }

  private async oneByOne(queue: InputQueue, raw: RawBatch, from: number, to: number): Promise<void> {
    for (let i = from; i < to; i++) {
      await this.run(queue, raw, i, i + 1);
      await this.options.commits.beforeMore();
    }
  }

  /** One record that cannot be handled (E1); without `before` it is not tried again. */
  private async leaveOut(error: RecordError, before: TimeMark | undefined, queue: InputQueue, raw: RawBatch, index: number): Promise<void> {
    const again = before && (() => this.tryRecord(before, queue, raw, index));
    const acknowledged = async (): Promise<void> => {
      if (this.acknowledgesEach(queue)) await this.options.sink.flush();
    };
    if (await this.failures.settle(error, raw, index, again, acknowledged)) await this.proceed(queue, raw, index + 1, index + 1);
  }

  /** Resolves to what went wrong, with everything undone. */
  private async tryRecord(before: TimeMark, queue: InputQueue, raw: RawBatch, index: number): Promise<RecordError | undefined> {
    let end: number;
    try {
      end = await this.attempt(queue, raw, index, index + 1);
    } catch (error) {
      this.undoBatch(before);
      return asRecordError(error, originAt(raw, index), this.currentNode);
    }
    await this.proceed(queue, raw, end, index + 1);
    return undefined;
  }

  /** Fires wall-clock punctuations that are due; true when any did (P3). */
  async punctuateWallClock(): Promise<boolean> {
    const now = this.wallClockTime;
    if (now < this.time.wall.earliest || this.replaying) return false;
    this.outputs.muted = false;
    await this.punctuation.fireDue('wall-clock', this.time.wall, now);
    return true;
  }

  /** The partitions that its stores' writes go to. */
  get changelogs(): readonly (TopicPartition & Pick<ChangelogTopic, 'store' | 'topicId'>)[] {
    const written = this.options.changelogs.filter(({ table }) => !table);
    return written.map(({ store, topic, topicId }) => ({ store, topic, partition: this.partition, topicId }));
  }

  /** A store on this disk has no changelog: it must not fall behind the committed offsets (C4). */
  get localOnly(): boolean {
    return this.options.changelogs.length < this.options.subtopology.stores.length;
  }

  /** Resolves when the sink has taken what changed in the stores since the last commit. */
  async writeChangelogs(): Promise<void> {
    await this.state.sweep();
    return this.writer.write(Math.max(this.streamTime, 0));
  }

  /** The cycle is committed: nothing before this moment can be undone any more. */
  committed(): void {
    this.state.committed();
    for (const queue of this.queues) queue.committed();
    this.repeating &&= this.queues.some((queue) => queue.isolating);
    this.commitRequested = false;
    this.lastCommit = this.time.mark();
  }

  /**
   * Undoes everything since the last commit: stores, times, deadlines, and what plugins keep in memory (B6).
   * With `isolate`, the records undone are then processed one at a time to find the one at fault (E2).
   */
  async abort(isolate: boolean): Promise<void> {
    this.outputs.discard();
    this.state.abort();
    this.repeating ||= isolate;
    for (const queue of this.queues) {
      if (isolate) queue.isolateUntil = Math.max(queue.isolateUntil, queue.position);
      queue.position = queue.rewindTo;
    }
    await this.time.restoreWith(this.lastCommit, async () => {
      await this.graph.close();
      this.graph.reset();
      await this.graph.init();
    });
    this.commitRequested = false;
  }

  private undoBatch(before: TimeMark): void {
    this.attempting = 0;
    this.state.rollbackBatch();
    this.outputs.discard();
    this.graph.reset();
    this.time.restore(before);
  }

  private openQueue(input: TaskOptions['inputs'][number]): InputQueue {
    const { topology, subtopology } = this.options;
    const node = subtopology.nodes.map((name) => topology.nodes.get(name)).find((one) => one?.kind === 'source' && one.topics.includes(input.topic));
    if (node?.kind !== 'source') throw new Error(`no source of sub-topology ${subtopology.id} reads ${partitionKey(input)}`);
    const source = new SourceRunner(node, { topic: input.topic, partition: input.partition });
    source.partitionTime = input.partitionTime;
    const queue = new InputQueue({ topic: input.topic, partition: input.partition }, source, input.offset);
    queue.replayUntil = input.replayUntil;
    return queue;
  }
}

function originAt(raw: RawBatch, index: number): Origin {
  return { topic: raw.topic, partition: raw.partition, offset: raw.offsetAt(index) };
}
