import type { Clock } from '../core/clock.js';
import type { Logger } from '../core/logger.js';
import type { Metrics } from '../core/metrics.js';
import type { ErrorPolicy } from '../core/policy.js';
import type { Serde } from '../core/serde.js';
import type { Transport } from '../core/transport.js';
import type { Topology } from '../topology/topology.js';
import type { OpenTaskState } from './assignment.js';
import type { Snapshots } from './snapshots/snapshots.js';
import type { OwnInstance } from './standby/instances.js';

/** What a worker runs and with what. */
export interface WorkerOptions {
  readonly topology: Topology;
  readonly transport: Transport;
  readonly openState: OpenTaskState;
  /** Formats by name; needed where the topology has global tables. */
  readonly serdeFor?: ((format: string) => Serde<unknown> | undefined) | undefined;
  /** The application's folder under the state directory. */
  readonly stateDir: string;
  /** Of a static member of the group. */
  readonly instanceId: string | undefined;
  /** Who this process is to the other instances; left out, it keeps no standby copies (S10). */
  readonly instance?: OwnInstance | undefined;
  /** Snapshots of its tasks; left out where none are kept (S13). */
  readonly snapshots?: Snapshots | undefined;
  /** exactly-once: outputs, changelogs and offsets are transactions under this id (C3); undefined: at-least-once. */
  readonly transactions: { readonly id: string; readonly timeoutMs: number } | undefined;
  readonly batch: { readonly maxRecords: number; readonly maxWaitMs: number; readonly maxBytes: number };
  readonly commit: { readonly intervalMs: number; readonly flushMs: number; readonly maxBufferedBytes: number };
  readonly onError: ErrorPolicy;
  readonly deadLetter: string | undefined;
  /** A batch that takes longer is reported with its step's name (C6). */
  readonly slowBatchMs: number;
  /** How often topics are looked at while the worker runs, in milliseconds; a minute unless told. */
  readonly watchMs?: number | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}
