import { dirname } from 'node:path';
import type { Clock } from '../core/clock.js';
import { StoreError } from '../core/errors.js';

/** The state in a directory is not what was written there. */
export interface Damage {
  /** The task's directory, or that of its database. */
  readonly directory: string;
  readonly problem: string;
}

/** As often may one directory be damaged within so long: a disk that goes on damaging it would be filled with what is set aside. */
const MOST = 3;
const WITHIN_MS = 60 * 60 * 1000;

/** Damage found while tasks run, until its turn comes (E4). */
export class StateDamage {
  private readonly found = new Map<string, Damage>();
  private readonly times = new Map<string, number[]>();

  constructor(private readonly clock: Clock) {}

  get pending(): boolean {
    return this.found.size > 0;
  }

  note(damage: Damage): void {
    this.found.set(damage.directory, damage);
  }

  /** Has each damage repaired. Throws a StoreError, which nothing repairs, for a directory that is damaged again and again. */
  async repair(reopen: (damage: Damage) => Promise<void>): Promise<void> {
    for (const [directory, damage] of this.found) {
      this.check(damage);
      await reopen(damage);
      // What was found while it was being closed is about the same files.
      this.found.delete(directory);
    }
  }

  private check({ directory, problem }: Damage): void {
    const now = this.clock.now();
    const times = [...(this.times.get(directory) ?? []).filter((time) => now - time < WITHIN_MS), now];
    this.times.set(directory, times);
    if (times.length <= MOST) return;
    this.found.delete(directory);
    throw new StoreError('store/corrupt', `the state in ${directory} was damaged ${times.length} times within an hour: ${problem}`, {
      fix: 'check the disk and the memory of this machine',
    });
  }
}

/** Whether a damage lies in the directory of a task. */
export function liesIn(damaged: string, taskDirectory: string | undefined): boolean {
  return taskDirectory !== undefined && (damaged === taskDirectory || dirname(damaged) === taskDirectory);
}
