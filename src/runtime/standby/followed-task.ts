import { join } from 'node:path';
import type { Logger } from '../../core/logger.js';
import type { StoreDefinition } from '../../core/store.js';
import type { Topology } from '../../topology/topology.js';
import type { Plan } from '../plan.js';
import type { Changelog } from '../restore/changelog-copy.js';
import { recordTimes } from '../tables/record-times.js';
import { type TaskName, taskName } from './task-name.js';

/** A task that is to have copies on other instances (S10). */
export interface FollowedTask {
  readonly name: TaskName;
  /** As in the log: sub-topology and partition. */
  readonly taskId: string;
  readonly partition: number;
  /** How many copies. */
  readonly copies: number;
  readonly directory: string;
  /** Its stores are gone with the process, so that every other process is as good a place as another machine. */
  readonly inMemory: boolean;
  /** All stores of the task. */
  readonly stores: readonly StoreDefinition[];
  /** Of the stores that are copied. */
  readonly changelogs: readonly Changelog[];
}

/**
 * The tasks with a store that asks for copies. A task that has a store without a changelog is left out, with a warning: what
 * that store missed is taken from the input again, and would be put into stores that a copy is ahead with (C4).
 */
export function followedTasks(topology: Topology, plan: Plan, stateDir: string, logger: Logger): FollowedTask[] {
  const { stores: definitions } = topology;
  return plan.leads.flatMap(({ topic, subtopology }) => {
    const stores = subtopology.stores.map((name) => definitions.get(name)).filter((store) => store !== undefined);
    const copied = new Map(stores.filter(({ standby = 0 }) => standby > 0).map(({ name, standby = 0 }) => [name, standby]));
    if (copied.size === 0) return [];
    const without = stores.filter(({ changelog }) => changelog === undefined).map(({ name }) => name);
    if (without.length > 0) {
      logger.warn({ stores: [...copied.keys()], without }, 'these stores get no copies: a store that is processed with them has no changelog');
      return [];
    }
    const changelogs = plan.changelogsOf(subtopology).filter(({ store }) => copied.has(store));
    return Array.from({ length: plan.count(topic) }, (_, partition) => ({
      name: taskName(subtopology.directory, partition),
      taskId: `${subtopology.id}_${partition}`,
      partition,
      copies: Math.max(...copied.values()),
      directory: join(stateDir, subtopology.directory, String(partition)),
      inMemory: stores.every(({ engine }) => engine === 'memory'),
      stores,
      changelogs: changelogs.map((changelog) => ({
        ...changelog,
        partition,
        table: changelog.table ? { times: recordTimes(topology, changelog.topic, partition) } : undefined,
      })),
    }));
  });
}
