import type { Clock } from '../core/clock.js';
import type { Logger } from '../core/logger.js';
import type { ErrorPolicy } from '../core/policy.js';
import type { PartitionOffset, Sink } from '../core/transport.js';
import type { Subtopology, Topology } from '../topology/topology.js';
import type { ChangelogTopic } from './changelog-topics.js';
import type { GlobalViews } from './globals/global-views.js';
import type { EngineMetrics } from './metrics.js';
import type { MidBatchCommits } from './mid-batch-commits.js';
import type { TaskState } from './task-state.js';

/** What a task is given. */
export interface TaskOptions {
  readonly topology: Topology;
  readonly subtopology: Subtopology;
  readonly partition: number;
  /** Where each input starts, with its partition time (T5). */
  readonly inputs: readonly (PartitionOffset & { readonly partitionTime: number; readonly replayUntil: number })[];
  readonly state: TaskState;
  /** Left out where there are none (S6). */
  readonly globals?: GlobalViews | undefined;
  readonly stateDir: string;
  readonly sink: Sink;
  /** Of its stores, where they have one. */
  readonly changelogs: readonly ChangelogTopic[];
  readonly partitionCount: (topic: string) => number;
  readonly onError: ErrorPolicy;
  readonly deadLetter: string | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: EngineMetrics;
  /** Waits between retries; rejects when the worker is stopped meanwhile. */
  readonly sleep: (ms: number) => Promise<void>;
  readonly commits: MidBatchCommits;
}
