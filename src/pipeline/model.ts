import type { Expression, Position } from '../core/expression.js';
import type { ErrorPolicy } from '../core/policy.js';
import type { JoinedStore, ProcessorDefinition } from '../core/processor.js';
import type { StoreType } from '../core/store.js';
import type { FormatSpec } from '../serdes/format-spec.js';
import type { Partitioner, StartOffset } from '../topology/nodes.js';
import type { ServeSettings } from './serve-settings.js';

/** A pipeline file, loaded, merged, checked and with every default filled in. */
export interface Pipeline {
  /** Consumer group and prefix of internal topics. */
  readonly name: string;
  /** Where `name` stands. */
  readonly position: Position;
  readonly kafka: KafkaSettings;
  readonly guarantee: Guarantee;
  /** The file's error policy. */
  readonly onError: ErrorPolicy;
  readonly deadLetter: string | undefined;
  readonly batch: BatchSettings;
  readonly commit: CommitSettings;
  /** Bound of clean cache entries over all stores of the process, in bytes. */
  readonly cacheBytes: number;
  /** What the file says about the HTTP server of its process. */
  readonly serve: ServeSettings | undefined;
  readonly stores: readonly StoreSpec[];
  readonly tables: readonly TableSpec[];
  /** What formats say beyond their names, by the names that inputs, outputs and stores have. */
  readonly formats: ReadonlyMap<string, FormatSpec>;
  /** In the order of the file; a one-flow file has one, named `main`. */
  readonly flows: readonly Flow[];
  readonly tests: readonly PipelineTest[];
}

export type Guarantee = 'at-least-once' | 'exactly-once';

export interface KafkaSettings {
  /** `host:port,…` */
  readonly brokers: string;
  readonly position: Position;
  readonly sasl: { readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'; readonly username: string; readonly password: string } | undefined;
  /** undefined: plaintext. */
  readonly tls: TlsSettings | undefined;
  /** Where schemas are; undefined: in files only. */
  readonly registry: RegistrySettings | undefined;
  /** librdkafka properties by name. */
  readonly client: Readonly<Record<string, string | number | boolean>>;
  /** After so long the broker aborts an open transaction (C3): `transaction.timeout.ms` of `client`, in milliseconds. */
  readonly transactionTimeoutMs: number;
}

/** PEM texts; without `ca`, the authorities that the system trusts. */
export interface TlsSettings {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly keyPassword?: string;
}

export interface RegistrySettings {
  /** http or https, without a slash at its end. */
  readonly url: string;
  readonly login: { readonly username: string; readonly password: string } | undefined;
  /** Only with https; undefined: the system's authorities, and no certificate of our own. */
  readonly tls: TlsSettings | undefined;
}

export interface BatchSettings {
  /** Most records of one partition in a batch, and of one partition in a cycle. */
  readonly maxRecords: number;
  /** A cycle takes no further records after so long, in milliseconds. */
  readonly maxWaitMs: number;
  /** Bytes held by the process before partitions are paused (C7). */
  readonly maxBytes: number;
}

export interface CommitSettings {
  /** Time between commits; 0 commits each cycle (C1). */
  readonly intervalMs: number;
  /** Committed state goes to disk after so long at the latest (C4). */
  readonly flushMs: number;
  /** Or when so many bytes of it wait in memory, over all stores of the application (C4). */
  readonly maxBufferedBytes: number;
}

export interface StoreSpec {
  readonly name: string;
  readonly type: StoreType;
  /** Times of the type, in milliseconds, as in a StoreDefinition. */
  readonly ttlMs?: number | undefined;
  readonly historyMs?: number | undefined;
  readonly retentionMs?: number | undefined;
  readonly windowSizeMs?: number | undefined;
  readonly engine: string;
  readonly key: string;
  readonly value: string;
  /** Options of the changelog topic by Kafka's names, over the defaults (S3); false: there is none. */
  readonly changelog: ChangelogOptions | false;
  /** Copies on other instances (S10). */
  readonly standby: number;
  readonly position: Position;
  /** Where `engine` is said; undefined where it is not. */
  readonly engineAt?: Position;
}

/** A store that a topic feeds and nobody else writes. */
export interface TableSpec {
  readonly name: string;
  /** Every instance has all of it (S6). */
  readonly global: boolean;
  /** How its topic is read; that of a global table has no source in the flows. */
  readonly input: TopicInput;
  readonly type: 'key-value' | 'timestamped' | 'versioned';
  /** Of a versioned one, in milliseconds. */
  readonly historyMs: number | undefined;
  readonly engine: string;
  readonly standby: number;
  readonly position: Position;
  /** Where `engine` is said; undefined where it is not. */
  readonly engineAt: Position | undefined;
}

export type ChangelogOptions = Readonly<Record<string, string>>;

export interface Flow {
  readonly name: string;
  readonly from: readonly Input[];
  readonly steps: readonly Step[];
  readonly to: readonly Output[];
  readonly position: Position;
}

export type Input = TopicInput | { readonly kind: 'flow'; readonly flow: string; readonly position: Position };

export interface TopicInput {
  readonly kind: 'topic';
  readonly topic: string;
  /** Format names. */
  readonly key: string;
  readonly value: string;
  readonly start: StartOffset;
  /** `record`, `skip-invalid`, `partition-time`, `wall-clock`, or an expression (T3). */
  readonly timestamp: 'record' | 'skip-invalid' | 'partition-time' | 'wall-clock' | Expression;
  readonly position: Position;
}

export interface Output {
  /** A topic, or a route over allowed topics. */
  readonly to: { readonly topic: string } | { readonly route: Expression; readonly topics: readonly string[] };
  /** Format names; undefined: those of the flow's input. */
  readonly key: string | undefined;
  readonly value: string | undefined;
  /** `murmur2`, `round-robin`, or a plugin's function `./file.js#name`. */
  readonly partitioner: 'murmur2' | 'round-robin' | Partitioner;
  readonly position: Position;
}

export interface Step {
  /** Operation key as written: `count`, `use`, … */
  readonly operation: string;
  /** `name`, else the operation; unique among the flow's stateful steps. */
  readonly id: string;
  readonly definition: ProcessorDefinition;
  /** Checked by the definition's schema; expressions compiled. */
  readonly options: unknown;
  readonly when: Expression | undefined;
  readonly emit: Emit;
  readonly onError: ErrorPolicy | undefined;
  /** Overrides of the step's own store, or the name of a declared one. */
  readonly store: string | Partial<StoreSpec> | undefined;
  /** Declared stores that the step may open. */
  readonly stores: readonly string[];
  /** Only of `join`: the other side. */
  readonly joined: JoinedStore | undefined;
  /** Only of `branch`: its arms, first match wins. */
  readonly arms: readonly Arm[] | undefined;
  readonly position: Position;
}

/** `batch`: one output per key and batch; `update`: one per input; a time: the latest of each key, once in so long (W5). */
export type Emit = 'batch' | 'update' | EmitEvery;

export interface EmitEvery {
  /** At most one output of a key in so much stream time, in milliseconds. */
  readonly everyMs: number;
  /** What may wait in one task; the oldest leaves early beyond it. */
  readonly maxBytes: number;
}

export interface Arm {
  readonly when: Expression | undefined;
  readonly steps: readonly Step[];
  /** Empty: the arm goes on to the step after the branch. */
  readonly to: readonly Output[];
  readonly position: Position;
}

/** A `tests:` entry, checked in shape; values are still YAML data. */
export interface PipelineTest {
  readonly name: string;
  /** What is in tables, then in stores, before the first record. */
  readonly preload: readonly StoreEntries[];
  readonly mocks: readonly TestMock[];
  /** Items in order: records to a topic, or an advance of the clock in milliseconds. */
  readonly send: readonly (TestSend | { readonly advanceMs: number })[];
  readonly expect: Readonly<Record<string, TestExpectation>>;
  readonly match: 'exact' | 'contains';
  /** A null value: no such entry. */
  readonly expectStores: readonly StoreEntries[];
  /** Part of the error that must stop the run. */
  readonly expectError: { readonly text: string; readonly position: Position } | undefined;
  readonly position: Position;
}

export interface TestSend {
  readonly topic: string;
  readonly records: readonly TestRecord[];
  /** Index of the map that it stands in: between topics of one map there is no order. */
  readonly map: number;
}

export type TestExpectation = ({ readonly records: readonly TestRecord[] } | { readonly count: number }) & { readonly position: Position };

/** A plugin's step that an expression stands in for. */
export interface TestMock {
  readonly step: Step;
  /** Gives the value of the one record that leaves, as that of `map` does. */
  readonly expression: Expression;
}

/** One record of a test; absent fields are undefined. */
export interface TestRecord {
  readonly key?: unknown;
  readonly value?: unknown;
  /** Bytes of the value as they are, instead of `value`. */
  readonly raw?: string;
  readonly headers?: Readonly<Record<string, string | null>>;
  /** Epoch milliseconds. */
  readonly at?: number;
  readonly partition?: number;
  readonly times?: number;
  readonly everyMs?: number;
  /** Of an expected record only. */
  readonly window?: EntryWindow;
  /** Undefined of a record that does not stand in a pipeline file. */
  readonly position?: Position;
}

/** Entries of one store or table. */
export interface StoreEntries {
  readonly store: string;
  readonly entries: readonly StoreEntry[];
  /** Where the store is named. */
  readonly position: Position;
}

export interface StoreEntry {
  /** As YAML types it. */
  readonly key: unknown;
  /** What is written, where the key is that of a map: what formats of text mean by it. */
  readonly keyText?: string;
  readonly value: unknown;
  /** Epoch milliseconds. */
  readonly at?: number;
  readonly window?: EntryWindow;
  readonly partition?: number;
  /** The store keeps a time with each value, which `at` is. */
  readonly timed?: boolean;
  /** Where its value stands, and its key. */
  readonly position: Position;
  readonly keyPosition: Position;
}

/** Epoch milliseconds. */
export interface EntryWindow {
  readonly start: number;
  readonly end?: number;
}
