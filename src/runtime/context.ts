import { FatalError, RecordError } from '../core/errors.js';
import { type Headers, NO_HEADERS } from '../core/headers.js';
import type { Logger } from '../core/logger.js';
import type { Metrics } from '../core/metrics.js';
import type { Origin } from '../core/origin.js';
import type { Cancellable, ProcessorContext, PunctuationType, Punctuator, ScheduleOptions } from '../core/processor.js';
import { type RecordInit, StreamRecord } from '../core/record.js';
import type { KeyValueStore } from '../core/store.js';
import type { StateStore } from '../core/store-types.js';
import type { Forwarding } from './forwarding.js';
import { checkSchedule } from './punctuation.js';
import type { EventTimes } from './stores/event-times.js';

/** What a node's context needs of its task. */
export interface TaskView {
  readonly applicationId: string;
  readonly taskId: string;
  readonly stateDir: string;
  readonly streamTime: number;
  readonly wallClockTime: number;
  readonly logger: Logger;
  readonly metrics: Metrics;
  requestCommit(): void;
  schedule(node: string, intervalMs: number, type: PunctuationType, callback: Punctuator, options?: ScheduleOptions): Cancellable;
  /** Makes the task run batches of one from here on; throws out of a larger batch so that it is run again (R2). */
  needSingleRecords(): void;
  /** The task's store as a step sees it. */
  store(name: string, step: string, times: EventTimes): StateStore;
  /** Throws out of a batch of several inputs so that it is run again record by record, this once (B3). */
  splitBatch(): void;
}

type Phase = 'idle' | 'init' | 'record' | 'batch' | 'punctuate';

/** The context of one processor instance (R2). */
export class NodeContext implements ProcessorContext {
  phase: Phase = 'idle';
  readonly logger: Logger;
  private current: StreamRecord | undefined;
  /** The batch that is being processed, if it has several records. */
  private several: readonly StreamRecord[] | undefined;
  private readonly times: EventTimes;

  constructor(
    private readonly node: string,
    /** Name the step uses → the store's name. */
    private readonly stores: Readonly<Record<string, string>>,
    private readonly task: TaskView,
    private readonly forwarding: Forwarding,
    /** User code may change values in place, so original bytes are not kept for objects it has read. */
    private readonly foreign: boolean,
  ) {
    this.logger = task.logger.child({ step: node });
    this.times = this.eventTimes();
  }

  enterRecord(record: StreamRecord): void {
    this.phase = 'record';
    this.current = record;
  }

  enterBatch(records: readonly StreamRecord[]): void {
    this.phase = 'batch';
    this.current = records[records.length - 1];
    this.several = records.length > 1 ? records : undefined;
  }

  leave(): void {
    this.phase = 'idle';
    this.current = undefined;
    this.several = undefined;
  }

  forward(record: StreamRecord | RecordInit<unknown, unknown>, child?: string): void {
    this.mayForward();
    this.forwarding.one(this.adopt(record), child);
  }

  forwardBatch(records: readonly StreamRecord[], child?: string): void {
    this.mayForward();
    if (!Array.isArray(records)) throw new TypeError(`forwardBatch takes an array of records, got ${kindOf(records)}`);
    if (records.length === 0) return;
    const untouched = !this.foreign && records.every((record) => record.topic !== null || this.current === undefined);
    this.forwarding.many(untouched ? records : records.map((record) => this.adopt(record)), child);
  }

  commit(): void {
    this.task.requestCommit();
  }

  schedule(intervalMs: number, type: PunctuationType, callback: Punctuator, options?: ScheduleOptions): Cancellable {
    checkSchedule(intervalMs, type, callback, options);
    this.mayChangeSchedules();
    const handle = this.task.schedule(this.node, intervalMs, type, callback, options);
    return {
      cancel: () => {
        this.mayChangeSchedules();
        handle.cancel();
      },
    };
  }

  store<S extends StateStore = KeyValueStore>(name?: string): S;
  store<K, V>(name?: string): KeyValueStore<K, V>;
  store(name?: string): StateStore {
    const own = Object.keys(this.stores);
    const alias = name ?? (own.length === 1 ? own[0] : undefined);
    const store = alias === undefined ? undefined : this.stores[alias];
    if (store === undefined) {
      const asked = name === undefined ? 'a store without saying which' : `the store "${name}"`;
      const connected = own.map((one) => `"${one}"`).join(', ') || 'none';
      throw new FatalError('store/not-connected', `step "${this.node}" asks for ${asked}; connected to it: ${connected}`, {
        fix: 'name the store under the step\'s "stores:", or in the processor\'s definition',
      });
    }
    return this.task.store(store, this.node, this.times);
  }

  get recordMetadata(): Origin | undefined {
    return this.phase === 'punctuate' ? undefined : this.currentRecord('recordMetadata').origin;
  }

  get timestamp(): number {
    return this.phase === 'punctuate' ? this.task.streamTime : this.currentRecord('timestamp').timestamp;
  }

  get headers(): Headers {
    return this.phase === 'punctuate' ? NO_HEADERS : this.currentRecord('headers').headers;
  }

  get applicationId(): string {
    return this.task.applicationId;
  }

  get taskId(): string {
    return this.task.taskId;
  }

  get stateDir(): string {
    return this.task.stateDir;
  }

  get streamTime(): number {
    return this.phase === 'record' || this.phase === 'batch' ? this.currentRecord('streamTime').streamTime : this.task.streamTime;
  }

  get wallClockTime(): number {
    return this.task.wallClockTime;
  }

  get metrics(): Metrics {
    return this.task.metrics;
  }

  /** Reads what is being processed at each use. */
  private eventTimes(): EventTimes {
    const context = this;
    const { task } = this;
    return {
      get from() {
        return (context.several?.[0] ?? context.current)?.streamTime ?? task.streamTime;
      },
      get to() {
        return context.current?.streamTime ?? task.streamTime;
      },
      get timestamp() {
        const { several, current } = context;
        if (current === undefined) return Math.max(task.streamTime, 0);
        const { timestamp } = current;
        return several?.some((record) => record.timestamp !== timestamp) ? undefined : timestamp;
      },
      splitBatch: () => task.splitBatch(),
    };
  }

  private currentRecord(property: string): StreamRecord {
    if (this.phase === 'batch') throw new Error(`context.${property} has no meaning in processBatch; read it from each record (R2)`);
    if (this.current === undefined) throw new Error(`context.${property} is only there while a record is processed`);
    return this.current;
  }

  /** What is forwarded between batches belongs to none: it would be neither undone nor committed with its input (B6, C2). */
  private mayForward(): void {
    if (this.phase !== 'idle') return;
    throw new FatalError('step/forward-outside', `step "${this.node}" forwards a record when no batch is under way`, {
      fix: 'await what is asynchronous in process or processBatch, or forward from a callback of context.schedule',
    });
  }

  private mayChangeSchedules(): void {
    if (this.phase === 'record' || this.phase === 'batch') this.task.needSingleRecords();
  }

  private adopt(record: StreamRecord | RecordInit<unknown, unknown>): StreamRecord {
    const made = record instanceof StreamRecord ? record : this.made(record);
    const adopted = made.topic === null && this.current !== undefined ? made.withOriginOf(this.current) : made;
    if (this.foreign) {
      adopted.dropSharedBytes();
      if (adopted.lacksValue) throw this.undefinedValue(adopted);
    }
    return adopted;
  }

  private made(init: RecordInit<unknown, unknown>): StreamRecord {
    if (typeof init !== 'object' || init === null || Array.isArray(init)) {
      throw new TypeError(`forward takes a record, or { key, value, timestamp, headers }, got ${kindOf(init)}`);
    }
    return StreamRecord.of({ ...init, timestamp: init.timestamp ?? this.current?.timestamp ?? this.task.wallClockTime });
  }

  /** Else it would be written as a tombstone that nobody asked for. */
  private undefinedValue(record: StreamRecord): RecordError {
    const stage = this.phase === 'punctuate' ? 'punctuate' : 'process';
    return new RecordError(stage, undefined, record.origin, 'the step forwarded a record whose value is undefined', {
      code: 'step/undefined-value',
      fix: 'forward null for a tombstone, or do not forward the record',
    });
  }
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  return Array.isArray(value) ? 'an array' : typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
