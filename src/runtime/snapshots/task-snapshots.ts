import { KstreamdError, messageOf } from '../../core/errors.js';
import type { SavedSnapshot, SnapshotSubject } from '../../core/snapshots.js';
import type { StoredPosition } from '../../core/store.js';
import { partitionKey, type TopicPartition } from '../../core/transport.js';
import type { Occasion } from '../occasion.js';
import { taskName } from '../standby/task-name.js';

/** One snapshot of a task. */
export type LastSnapshot = Occasion & SavedSnapshot;

export interface SnapshotStatus extends Partial<Omit<LastSnapshot, 'time'>> {
  /** When the last one that this process stored was taken, as ISO 8601. */
  readonly time?: string;
  /** Why there was none since; a code where there is one. */
  readonly error?: string;
}

const LOOK_AGAIN_MS = 10_000;

/** What a process knows of the snapshots it has taken of one task. */
export class TaskSnapshots {
  readonly name: string;
  /** When the next one is to be taken, in epoch milliseconds. */
  dueAt: number;
  /** Until when a snapshot is up to date, in epoch milliseconds; before the first one when the task came here. */
  current: number;
  private last: LastSnapshot | undefined;
  private positions: readonly StoredPosition[] = [];
  private error: string | undefined;

  constructor(
    readonly subject: SnapshotSubject,
    private readonly everyMs: number,
    now: number,
  ) {
    this.name = taskName(subject.folder, subject.partition);
    this.dueAt = now + Math.floor(shareOf(this.name) * everyMs);
    this.current = now;
  }

  get status(): SnapshotStatus {
    const { last, error } = this;
    const known = last && { ...last, time: new Date(last.time).toISOString(), durationMs: Math.round(last.durationMs) };
    return { ...known, ...(error !== undefined && { error }) };
  }

  /** Whether the last snapshot holds all of it; it is then as good as a new one. */
  unchanged(positions: readonly StoredPosition[], now: number): boolean {
    if (this.last === undefined || !positions.every((position) => offsetIn(this.positions, position) === position.offset)) return false;
    this.current = now;
    this.dueAt = now + this.everyMs;
    return true;
  }

  saved(last: LastSnapshot, positions: readonly StoredPosition[], now: number): void {
    this.last = last;
    this.positions = positions;
    this.error = undefined;
    this.current = last.time;
    this.dueAt = now + this.everyMs;
  }

  /** It may have been elsewhere for long: that does not make its snapshots old. */
  cameHere(now: number): void {
    this.current = now;
  }

  /** No flush has written anything yet. */
  nothingYet(now: number): undefined {
    this.current = now;
    this.dueAt = now + Math.min(this.everyMs, LOOK_AGAIN_MS);
  }

  failed(error: unknown, retryAt: number): void {
    this.dueAt = retryAt;
    this.error = error instanceof KstreamdError ? error.code : messageOf(error);
  }
}

export function offsetIn(positions: readonly StoredPosition[], of: TopicPartition): number | undefined {
  const key = partitionKey(of);
  return positions.find((position) => partitionKey(position) === key)?.offset;
}

/** From 0 up to 1, the same for a name in every process: spreads tasks over the time between two snapshots. */
function shareOf(name: string): number {
  let hash = 2_166_136_261;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 16_777_619);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  return ((hash ^ (hash >>> 13)) >>> 0) / 2 ** 32;
}
