import type { Position } from '../core/expression.js';
import type { ErrorPolicy } from '../core/policy.js';
import type { Processor } from '../core/processor.js';
import type { StreamRecord } from '../core/record.js';
import type { Serde } from '../core/serde.js';

/** Epoch milliseconds of a record given what the broker stored and the partition's time so far; undefined skips the record (T3). */
export type TimestampExtractor = (record: StreamRecord, partitionTime: number) => number | undefined;

/** Where reading starts when the group has no offset for a partition; `at` in epoch milliseconds, `ago` in milliseconds. */
export type StartOffset = 'earliest' | 'latest' | 'committed' | { readonly at: number } | { readonly ago: number };

interface NodeBase {
  /** Unique in the topology. */
  readonly name: string;
  /** Where the step stands in the file, for messages. */
  readonly position?: Position | undefined;
  /** undefined: the file's policy. */
  readonly onError?: ErrorPolicy | undefined;
}

/** Reads topics. A topic has one source node in a topology. */
export interface SourceNode extends NodeBase {
  readonly kind: 'source';
  readonly topics: readonly string[];
  readonly key: Serde<unknown>;
  readonly value: Serde<unknown>;
  /** Default: the record's own timestamp; a negative one is an error. */
  readonly timestamp?: TimestampExtractor | undefined;
  /** Default `earliest`. */
  readonly start?: StartOffset | undefined;
}

/** A step. `create` is called once per task and must give a new instance each time (R1). */
export interface ProcessorNode extends NodeBase {
  readonly kind: 'processor';
  readonly create: () => Processor<any, any, any, any>;
  /** Stores the step may open: the name it uses → the store's name. */
  readonly stores: Readonly<Record<string, string>>;
  /** The code is the user's own: it may change values in place and choose children by name. */
  readonly foreign?: boolean | undefined;
  /** It forwards at most one record per input, in input order; otherwise it may forward any number (B4). */
  readonly atMostOne?: boolean | undefined;
}

/** Chooses one of `partitions` for an output with this serialized key (R4). */
export type Partitioner = (key: Buffer | null, partitions: number, record: { topic: string; value: Buffer | null }) => number;

/** Writes to a topic, or to the one a route gives. */
export interface SinkNode extends NodeBase {
  readonly kind: 'sink';
  readonly to: { readonly topic: string } | { readonly route: (record: StreamRecord) => unknown; readonly topics: readonly string[] };
  readonly key: Serde<unknown>;
  readonly value: Serde<unknown>;
  readonly partitioner?: 'murmur2' | 'round-robin' | Partitioner | undefined;
}

export type TopologyNode = SourceNode | ProcessorNode | SinkNode;
