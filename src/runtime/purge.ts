import { messageOf } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import type { PartitionOffset, TopicAdmin } from '../core/transport.js';
import type { Topology } from '../topology/topology.js';
import type { OwnedTask } from './commit.js';

const PURGE_MS = 30_000;

/** Removes records of repartition topics that no restart can need again, at most every 30 s (S16). */
export class Purge {
  private readonly internal: ReadonlySet<string>;
  private last = performance.now();
  private running = false;

  constructor(
    private readonly admin: TopicAdmin,
    topology: Topology,
    private readonly logger: Logger,
  ) {
    this.internal = new Set(topology.repartitions.map((repartition) => repartition.topic));
  }

  /** Called after a commit: what the tasks would rewind to is on disk and with the group. Runs beside the loop. */
  afterCommit(owned: readonly OwnedTask[]): void {
    if (this.internal.size === 0 || this.running || performance.now() - this.last < PURGE_MS) return;
    this.last = performance.now();
    const below: PartitionOffset[] = owned
      .flatMap(({ task }) => task.queues)
      .filter((queue) => this.internal.has(queue.partition.topic) && queue.rewindTo > 0)
      .map((queue) => ({ ...queue.partition, offset: queue.rewindTo }));
    if (below.length === 0) return;
    this.running = true;
    this.admin
      .deleteRecordsBefore(below)
      .catch((error: unknown) => this.logger.warn({ err: messageOf(error) }, 'could not purge repartition topics; trying again later'))
      .finally(() => {
        this.running = false;
      });
  }
}
