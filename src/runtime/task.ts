import { join } from 'node:path';
import type { RawBatch } from '../core/batch.js';
import type { Clock } from '../core/clock.js';
import { DeliveryError, RecordError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import { andThen, isPromise, type MaybePromise } from '../core/maybe.js';
import type { ErrorPolicy } from '../core/policy.js';
import type { Cancellable, PunctuationType, Punctuator, ScheduleOptions } from '../core/processor.js';
import type { KeyValueStore } from '../core/store.js';
import { type PartitionOffset, partitionKey, type Sink, type TopicPartition } from '../core/transport.js';
import type { Subtopology, Topology } from '../topology/topology.js';
import type { TaskView } from './context.js';
import { backoffs, deadLetterHeaders, finalPolicy, policyFor, stopping } from './error-handling.js';
import { SingleRecordsNeeded } from './failure.js';
import { InputQueue } from './input-queue.js';
import type { EngineMetrics } from './metrics.js';
import { OutputBuffer } from './outputs.js';
import { PunctuationQueue, type PunctuationSnapshot } from './punctuation.js';
import { SourceRunner } from './source-runner.js';
import { TaskGraph } from './task-graph.js';
import type { TaskState } from './task-state.js';

/** What a task is given. */
export interface TaskOptions {
  readonly topology: Topology;
  readonly subtopology: Subtopology;
  readonly partition: number;
  /** Where each input starts, with its partition time (T5). */
  readonly inputs: readonly (PartitionOffset & { readonly partitionTime: number; readonly replayUntil: number })[];
  readonly state: TaskState;
  readonly stateDir: string;
  readonly sink: Sink;
  readonly partitionCount: (topic: string) => number;
  readonly onError: ErrorPolicy;
  readonly deadLetter: string | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: EngineMetrics;
  /** Waits between retries; rejects when the worker is stopped meanwhile. */
  readonly sleep: (ms: number) => Promise<void>;
}

/** Times and deadlines to return to when a batch or a cycle is undone (B6). */
interface Mark {
  readonly streamTime: number;
  readonly partitionTimes: readonly number[];
  readonly stream: PunctuationSnapshot;
  readonly wall: PunctuationSnapshot;
}

/**
 * One sub-topology × one partition. Takes batches of its inputs, runs them whole through its nodes, and undoes
 * and splits a batch that throws until the failing record stands alone (B6).
 */
export class Task implements TaskView {
  readonly taskId: string;
  readonly stateDir: string;
  readonly queues: readonly InputQueue[];
  readonly outputs: OutputBuffer;
  readonly state: TaskState;
  streamTime = -1;
  /** Node that is running or ran last, for reports of slow steps (C6). */
  currentNode = '';
  commitRequested = false;
  private singleRecords = false;
  private initialised = false;
  private turn = 0;
  private readonly graph: TaskGraph;
  private readonly streamTimers = new PunctuationQueue('stream-time');
  private readonly wallTimers = new PunctuationQueue('wall-clock');
  private lastCommit: Mark;

  constructor(private readonly options: TaskOptions) {
    const { subtopology, partition, sink, topology } = options;
    this.taskId = `${subtopology.id}_${partition}`;
    this.stateDir = join(options.stateDir, 'files');
    this.state = options.state;
    this.outputs = new OutputBuffer(sink, subtopology.mergeOutputs, (topic, records, bytes) => options.metrics.sent(topic, records, bytes));
    this.queues = options.inputs.map((input) => this.openQueue(input));
    this.graph = new TaskGraph(topology, subtopology, {
      task: this,
      outputs: this.outputs,
      sink,
      partitionCount: options.partitionCount,
      enter: (node) => {
        this.currentNode = node;
      },
    });
    this.lastCommit = this.mark();
  }

  get partition(): number {
    return this.options.partition;
  }

  get applicationId(): string {
    return this.options.topology.applicationId;
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
    this.initialised = true;
    this.lastCommit = this.mark();
  }

  async close(): Promise<void> {
    await this.graph.close();
    await this.state.close();
  }

  /** Something happened since the last commit. */
  get dirty(): boolean {
    return this.commitRequested || this.queues.some((queue) => queue.position !== queue.rewindTo);
  }

  requestCommit(): void {
    this.commitRequested = true;
  }

  schedule(node: string, intervalMs: number, type: PunctuationType, callback: Punctuator, options?: ScheduleOptions): Cancellable {
    if (type === 'wall-clock') return this.wallTimers.schedule(node, intervalMs, callback, this.wallClockTime, options);
    // After a restart the deadline at the restored time has already fired.
    const now = this.initialised || this.streamTime < 0 ? this.streamTime : this.streamTime + 1;
    return this.streamTimers.schedule(node, intervalMs, callback, now, options);
  }

  needSingleRecords(): void {
    if (this.singleRecords) return;
    this.singleRecords = true;
    throw new SingleRecordsNeeded();
  }

  store(name: string, step?: string): KeyValueStore<unknown, unknown> {
    return this.state.store(name, step);
  }

  queueOf(partition: TopicPartition): InputQueue | undefined {
    return this.queues.find((queue) => queue.partition.topic === partition.topic && queue.partition.partition === partition.partition);
  }

  /** Earliest wall-clock deadline in epoch milliseconds; Infinity when there is none. */
  get nextWallClock(): number {
    return this.wallTimers.earliest;
  }

  /** The next input, in turn, that has records and may give some to this cycle. */
  nextQueue(open: (queue: InputQueue) => boolean): InputQueue | undefined {
    const { queues } = this;
    for (let i = 0; i < queues.length; i++) {
      const queue = queues[(this.turn + i) % queues.length] as InputQueue;
      if (queue.length === 0 || !open(queue)) continue;
      this.turn = (this.turn + i + 1) % queues.length;
      return queue;
    }
    return undefined;
  }

  /** Runs one batch of at most `max` records of the queue; resolves to the bytes it let go of. */
  runBatch(queue: InputQueue, max: number): MaybePromise<number> {
    const stretch = queue.next(this.singleRecords ? 1 : max);
    if (stretch === undefined) return 0;
    this.outputs.muted = queue.replaying;
    this.freed = 0;
    return andThen(this.run(queue, stretch.raw, stretch.from, stretch.to), () => this.freed);
  }

  private freed = 0;

  private run(queue: InputQueue, raw: RawBatch, from: number, to: number): MaybePromise<void> {
    const before = this.mark();
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
    const { records, end, skipped } = queue.source.read(raw, from, to, this, queue.replaying ? never : this.deadline);
    if (skipped > 0) this.options.metrics.dropped(queue.source.node.name, 'timestamp', skipped);
    const processed = records.length === 0 ? undefined : this.graph.dispatch(queue.source.node, records);
    const released = andThen(processed, () => this.outputs.release());
    return andThen(released, () => (queue.position < queue.isolateUntil ? this.options.sink.flush().then(() => end) : end));
  }

  private proceed(queue: InputQueue, raw: RawBatch, end: number, to: number): MaybePromise<void> {
    this.state.endBatch();
    this.freed += queue.advanceTo(end);
    const punctuated =
      queue.replaying || this.streamTime < this.streamTimers.earliest ? undefined : this.punctuate('stream-time', this.streamTimers, this.streamTime);
    return andThen(punctuated, () => (end < to ? this.run(queue, raw, end, to) : undefined));
  }

  private async recover(error: unknown, before: Mark, queue: InputQueue, raw: RawBatch, from: number, to: number): Promise<void> {
    this.undoBatch(before);
    if (error instanceof SingleRecordsNeeded) return this.oneByOne(queue, raw, from, to);
    if (!(error instanceof RecordError || error instanceof DeliveryError)) throw error;
    if (to - from === 1) return this.failed(this.ofRecord(error, raw, from), before, queue, raw, from);
    const middle = from + ((to - from) >> 1);
    await this.run(queue, raw, from, middle);
    await this.run(queue, raw, middle, to);
  }

  private async oneByOne(queue: InputQueue, raw: RawBatch, from: number, to: number): Promise<void> {
    for (let i = from; i < to; i++) await this.run(queue, raw, i, i + 1);
  }

  /** One record that cannot be handled: retries, then what the rule says (E1). */
  private async failed(first: RecordError, before: Mark, queue: InputQueue, raw: RawBatch, index: number): Promise<void> {
    let error = first;
    const { metrics, onError, topology } = this.options;
    const policy = policyFor(error, topology.nodes.get(error.node ?? ''), onError);
    for (const wait of backoffs(policy)) {
      metrics.retry(error.node ?? '');
      this.logger.warn({ err: error.message, step: error.node, ...error.origin, waitMs: wait }, 'record failed; trying again');
      await this.options.sleep(wait);
      try {
        const end = await this.attempt(queue, raw, index, index + 1);
        return await this.proceed(queue, raw, end, index + 1);
      } catch (again) {
        this.undoBatch(before);
        if (!(again instanceof RecordError || again instanceof DeliveryError)) throw again;
        error = this.ofRecord(again, raw, index);
      }
    }
    const final = finalPolicy(error, policy);
    metrics.error(error, final);
    if (final === 'fail') throw stopping(error, topology.nodes.get(error.node ?? ''));
    this.logger.warn(
      { err: error.message, code: error.code, step: error.node, ...error.origin },
      final === 'skip' ? 'record skipped' : 'record sent to the dead letter topic',
    );
    if (final === 'dead-letter') await this.deadLetter(error, raw, index);
    await this.proceed(queue, raw, index + 1, index + 1);
  }

  private async deadLetter(error: RecordError, raw: RawBatch, index: number): Promise<void> {
    const { deadLetter } = this.options;
    if (deadLetter === undefined) throw stopping(error, undefined);
    const headers = deadLetterHeaders(raw.headersAt(index), error);
    const timestamp = Math.max(raw.timestampAt(index), 0);
    this.outputs.add(deadLetter, undefined, raw.keyAt(index), raw.valueAt(index), timestamp, headers, raw.offsetAt(index));
    await this.outputs.release();
  }

  /** Fills in where the record stands, and which step writes to the topic that refused it. */
  private ofRecord(error: RecordError | DeliveryError, raw: RawBatch, index: number): RecordError {
    const origin = { topic: raw.topic, partition: raw.partition, offset: raw.offsetAt(index) };
    if (error instanceof RecordError) {
      error.origin ??= origin;
      return error;
    }
    const fix = error.fix === undefined ? {} : { fix: error.fix };
    return new RecordError('produce', this.currentNode, origin, error.message, { code: error.code, cause: error, ...fix });
  }

  /** Fires wall-clock punctuations that are due; true when any did (P3). */
  async punctuateWallClock(): Promise<boolean> {
    const now = this.wallClockTime;
    if (now < this.wallTimers.earliest) return false;
    await this.punctuate('wall-clock', this.wallTimers, now);
    return true;
  }

  private async punctuate(type: PunctuationType, timers: PunctuationQueue, time: number): Promise<void> {
    const fired = new Set<number>();
    for (let due = timers.takeDue(time, fired); due !== undefined; due = timers.takeDue(time, fired)) {
      fired.add(due.id);
      const { callback, node } = due;
      const before = this.mark();
      try {
        await this.graph.processor(node)?.punctuate(() => callback(time));
        await this.outputs.release();
        this.state.endBatch();
      } catch (error) {
        this.undoBatch(before);
        this.failedPunctuation(error);
      }
      this.options.metrics.punctuated(node, type);
      this.commitRequested = true;
    }
  }

  private failedPunctuation(error: unknown): void {
    if (!(error instanceof RecordError)) throw error;
    const node = this.options.topology.nodes.get(error.node ?? '');
    const final = finalPolicy(error, policyFor(error, node, this.options.onError));
    this.options.metrics.error(error, final);
    if (final === 'fail') throw stopping(error, node);
    this.logger.warn({ err: error.message, step: error.node }, 'punctuation failed and was skipped');
  }

  /** The cycle is committed: nothing before this moment can be undone any more. */
  committed(): void {
    for (const queue of this.queues) queue.rewindTo = queue.position;
    this.commitRequested = false;
    this.lastCommit = this.mark();
  }

  /**
   * Undoes everything since the last commit: stores, times, deadlines, and what plugins keep in memory (B6).
   * With `isolate`, the records undone are then processed one at a time to find the one at fault (E2).
   */
  async abort(isolate: boolean): Promise<void> {
    this.outputs.discard();
    this.state.abort();
    for (const queue of this.queues) {
      if (isolate) queue.isolateUntil = Math.max(queue.isolateUntil, queue.position);
      queue.position = queue.rewindTo;
    }
    const { stream, wall } = this.lastCommit;
    this.restoreTimes(this.lastCommit);
    await this.graph.close();
    this.graph.reset();
    this.streamTimers.clear();
    this.wallTimers.clear();
    await this.graph.init();
    this.streamTimers.adoptDeadlines(stream);
    this.wallTimers.adoptDeadlines(wall);
    this.commitRequested = false;
  }

  private readonly deadline = (): number => {
    if (this.streamTimers.size === 0) return Number.POSITIVE_INFINITY;
    this.streamTimers.begin(this.streamTime);
    return this.streamTimers.earliest;
  };

  private mark(): Mark {
    return {
      streamTime: this.streamTime,
      partitionTimes: this.queues.map((queue) => queue.source.partitionTime),
      stream: this.streamTimers.snapshot(),
      wall: this.wallTimers.snapshot(),
    };
  }

  private undoBatch(before: Mark): void {
    this.state.rollbackBatch();
    this.outputs.discard();
    this.graph.reset();
    this.restoreTimes(before);
    this.streamTimers.restore(before.stream);
    this.wallTimers.restore(before.wall);
  }

  private restoreTimes(mark: Mark): void {
    this.streamTime = mark.streamTime;
    for (const [i, queue] of this.queues.entries()) queue.source.partitionTime = mark.partitionTimes[i] ?? -1;
  }

  private openQueue(input: TaskOptions['inputs'][number]): InputQueue {
    const { topology, subtopology } = this.options;
    const node = subtopology.nodes.map((name) => topology.nodes.get(name)).find((one) => one?.kind === 'source' && one.topics.includes(input.topic));
    if (node?.kind !== 'source') throw new Error(`no source of sub-topology ${subtopology.id} reads ${partitionKey(input)}`);
    const source = new SourceRunner(node, { topic: input.topic, partition: input.partition });
    source.partitionTime = input.partitionTime;
    this.streamTime = Math.max(this.streamTime, input.partitionTime);
    const queue = new InputQueue({ topic: input.topic, partition: input.partition }, source, input.offset);
    queue.replayUntil = input.replayUntil;
    return queue;
  }
}

const never = (): number => Number.POSITIVE_INFINITY;
