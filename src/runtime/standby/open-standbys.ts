import type { Plan } from '../plan.js';
import type { CopySurroundings } from '../restore/changelog-copy.js';
import type { WorkerOptions } from '../worker-options.js';
import { followedTasks } from './followed-task.js';
import { Standbys, type StandbysOptions } from './standbys.js';

type Given = Pick<WorkerOptions, 'topology' | 'stateDir' | 'instance' | 'openState' | 'transport'> &
  CopySurroundings &
  Pick<StandbysOptions, 'admin'> & { readonly plan: Plan };

/** Undefined where no store asks for copies (S10), and where nobody can ask this instance about its stores (S11). */
export function openStandbys(given: Given): Standbys | undefined {
  const { topology, plan, stateDir, instance, logger } = given;
  const tasks = followedTasks(topology, plan, stateDir, logger);
  if (instance === undefined || (tasks.length === 0 && !answersQueries(given))) return undefined;
  return new Standbys({ ...given, application: topology.applicationId, instance, tasks });
}

/** It has stores, and an address at which it is asked. */
export function answersQueries({ topology, instance }: Pick<WorkerOptions, 'topology' | 'instance'>): boolean {
  return instance?.address !== undefined && topology.stores.size > 0;
}
