import type { ZodType } from 'zod';
import type { RecordBatch } from './batch.js';
import type { Headers } from './headers.js';
import type { Logger } from './logger.js';
import type { MaybePromise } from './maybe.js';
import type { Metrics } from './metrics.js';
import type { Origin } from './origin.js';
import type { RecordInit, StreamRecord } from './record.js';
import type { KeyValueStore, StoreType } from './store.js';
import type { StateStore } from './store-types.js';

export type PunctuationType = 'stream-time' | 'wall-clock';

/** Called with the stream time or the wall-clock time, in epoch milliseconds (P2, P3). */
export type Punctuator = (timestamp: number) => MaybePromise<void>;

export interface Cancellable {
  cancel(): void;
}

export interface ScheduleOptions {
  /**
   * `aligned` (default): the first deadline is the first multiple of the interval at or after the first record's
   * timestamp. `first-record`: Kafka Streams' own rule, which fires on the first record too (P2).
   */
  firstFire?: 'aligned' | 'first-record';
}

/** What a processor may do (R2). Valid between `init` and `close` of the instance it was given to. */
export interface ProcessorContext<KOut = unknown, VOut = unknown> {
  /** Hands a record to every child in declaration order, or to the one named; an unknown name throws. */
  forward(record: StreamRecord<KOut, VOut> | RecordInit<KOut, VOut>, child?: string): void;
  /** The same for an array, kept whole where the child takes batches (B2). */
  forwardBatch(records: readonly StreamRecord<KOut, VOut>[], child?: string): void;
  /** Asks for a commit after the current batch. */
  commit(): void;
  /** Calls back every `intervalMs`; in `init`, in `process` and in callbacks (P1). */
  schedule(intervalMs: number, type: PunctuationType, callback: Punctuator, options?: ScheduleOptions): Cancellable;
  /**
   * A store connected to this step; any other name throws. Without a name: the step's only store. What it can do is told by
   * its type in the file: `context.store<WindowStore<string, number>>('clicks')`; with a key and value a KeyValueStore.
   */
  store<S extends StateStore = KeyValueStore>(name?: string): S;
  store<K = unknown, V = unknown>(name?: string): KeyValueStore<K, V>;
  /** Where the current input record stands; undefined in a punctuation. Throws in `processBatch`: read it from each record. */
  readonly recordMetadata: Origin | undefined;
  /** Timestamp of the current record. Throws in `processBatch`. */
  readonly timestamp: number;
  /** Headers of the current record; empty in a punctuation (P4). Throws in `processBatch`. */
  readonly headers: Headers;
  readonly applicationId: string;
  /** `<subtopology>_<partition>`. */
  readonly taskId: string;
  /** A directory of this task's own, made when first asked for. */
  readonly stateDir: string;
  /** Largest timestamp taken so far, −1 before the first (T1). */
  readonly streamTime: number;
  readonly wallClockTime: number;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/**
 * One step of a topology. A factory makes a new instance per task (R1). Give `process`, `processBatch`, or
 * both; an optional method is a capability, looked up once when the task is wired (B2).
 */
export interface Processor<KIn = unknown, VIn = unknown, KOut = unknown, VOut = unknown> {
  /** Called after the stores are restored; may be called again after `close`. */
  init?(context: ProcessorContext<KOut, VOut>): MaybePromise<void>;
  process?(record: StreamRecord<KIn, VIn>): MaybePromise<void>;
  /** Must give what `process` would give record by record (B3). */
  processBatch?(batch: RecordBatch<KIn, VIn>): MaybePromise<void>;
  close?(): MaybePromise<void>;
}

/** A store a step brings along. Formats default to the flow's key format and `json` (S15). */
export interface StoreShape {
  /** `key-value` unless told; the times are those of a StoreDefinition, in milliseconds, and the file may say others. */
  readonly type?: StoreType;
  readonly ttlMs?: number;
  readonly historyMs?: number;
  readonly retentionMs?: number;
  readonly windowSizeMs?: number;
  readonly engine?: string;
  readonly key?: string;
  readonly value?: string;
}

/** The other side of a join, which the step looks up by key: a table, or a store of its task. */
export interface JoinedStore {
  /** What `context.store` takes. */
  readonly name: string;
  readonly type: 'key-value' | 'timestamped' | 'versioned';
  /** Format name of its keys. */
  readonly key: string;
  /** Every instance has all of it (S6). */
  readonly global: boolean;
}

/** What the file says about a step beside its options. */
export interface StepSettings {
  /** The step's id in the file: its `name`, else its operation. */
  readonly id: string;
  /** The step's node in the topology, unique in the application; the label `step` of its metrics. */
  readonly node: string;
  /** `batch`: one output per key and batch; `update`: one per input, also where the file gives a time: what comes after the step then thins them out (W5). */
  readonly emit: 'batch' | 'update';
  /** Only of `branch`: for each arm the child that takes its records. */
  readonly arms?: readonly string[];
  /** Only of `join`. */
  readonly joined?: JoinedStore;
}

/** A kind of step: built-ins and plugins make theirs with the same call. */
export interface ProcessorDefinition<Options = unknown> {
  /** One sentence, shown by `kstreamd list` and in the docs. */
  readonly summary: string;
  /** More, in Markdown. */
  readonly docs?: string;
  /** A runnable piece of pipeline YAML. */
  readonly example?: string;
  /** Checks the step's options; feeds the linter, the JSON Schema and the docs. */
  readonly options: ZodType<Options>;
  /**
   * The options are settings beside the operation, and its own value is the option of its name. For operations of the
   * language: their options must be an object whose other keys are settings of steps.
   */
  readonly beside?: boolean;
  /** Settings beside the operation key that mean something here. */
  readonly settings?: readonly ('emit' | 'store' | 'if')[];
  /** Records leave with another key, so state after it needs a repartition topic. */
  readonly changesKey?: boolean;
  /** Forwards at most one record per input, in input order; lets forks before a shared topic stay in batches (B4). */
  readonly atMostOne?: boolean;
  /**
   * Reads its stores by `getBatch` and iterators only, and awaits them: it may then use stores whose engine answers with
   * promises (R2).
   */
  readonly async?: boolean;
  /** The one store this step keeps, under the step's own id. */
  readonly store?: StoreShape;
  /** Several stores, by the name `context.store(name)` takes. */
  readonly stores?: Readonly<Record<string, StoreShape>>;
  /** A new instance for one task; a shared one is refused (R1). */
  create(options: Options, settings: StepSettings): Processor<any, any, any, any>;
}

const DEFINITION = Symbol.for('kstreamd.processor');

/** Declares a kind of step. Export the result from a plugin module and name it with `use: ./file.js#Export`. */
export function defineProcessor<Options>(definition: ProcessorDefinition<Options>): ProcessorDefinition<Options> {
  return Object.defineProperty({ ...definition }, DEFINITION, { value: true });
}

/** True also for definitions made by another copy of this package. */
export function isProcessorDefinition(value: unknown): value is ProcessorDefinition {
  return typeof value === 'object' && value !== null && DEFINITION in value;
}
