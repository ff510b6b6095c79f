import type { Pipeline } from '../pipeline/model.js';
import type { Occasion } from '../runtime/occasion.js';
import type { WorkerStatus } from '../runtime/status.js';
import type { RecentError } from '../telemetry/recent-errors.js';

/** A moment as `/status` tells it: ISO 8601 in UTC. */
type Dated<T> = Omit<T, 'time'> & { readonly time: string };

/** One application's part of `/status`; docs/status.md explains it. */
export interface ApplicationStatus extends Pick<WorkerStatus, 'state' | 'tasks' | 'standby' | 'globals'> {
  readonly name: string;
  readonly guarantee: Pipeline['guarantee'];
  /** `packed` or `stock`; left out for a transport that is not ours. */
  readonly transport?: string;
  /** Why `/ready` does not say yes. */
  readonly unready: readonly string[];
  readonly stateDirectory: string;
  readonly instanceId: string;
  readonly lastCommit?: Dated<Occasion>;
  readonly lastFlush?: Dated<Occasion>;
  readonly errors: readonly Dated<RecentError>[];
}

export interface StatusParts extends Pick<ApplicationStatus, 'name' | 'guarantee' | 'unready' | 'stateDirectory' | 'instanceId'> {
  readonly transport: string | undefined;
  readonly work: WorkerStatus;
  readonly errors: readonly RecentError[];
}

export function applicationStatus({ name, guarantee, transport, unready, stateDirectory, instanceId, work, errors }: StatusParts): ApplicationStatus {
  const { state, tasks, standby, globals, lastCommit, lastFlush } = work;
  return {
    name,
    guarantee,
    state,
    unready,
    ...(transport !== undefined && { transport }),
    stateDirectory,
    instanceId,
    ...(lastCommit && { lastCommit: done(lastCommit) }),
    ...(lastFlush && { lastFlush: done(lastFlush) }),
    tasks,
    standby,
    ...(globals && { globals }),
    errors: errors.map(dated),
  };
}

function done({ time, durationMs }: Occasion): Dated<Occasion> {
  return dated({ time, durationMs: Math.round(durationMs * 10) / 10 });
}

function dated<T extends { readonly time: number }>(one: T): Dated<T> {
  return { ...one, time: new Date(one.time).toISOString() };
}
