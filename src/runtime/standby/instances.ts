import type { Announcement } from './announcement.js';
import { type TaskName, taskNames } from './task-name.js';

/** How often an instance renews what it tells, in milliseconds. */
export const RENEWED_EVERY_MS = 5_000;
/** Who was not heard for so long is gone: its tasks are no longer taken for its own. */
const GONE_AFTER_MS = 20_000;
/** For so long the place of one that is gone is kept: a restart must not set copies going elsewhere. */
const FORGOTTEN_AFTER_MS = 60_000;

/** Who this instance is among those of the application. */
export interface OwnInstance {
  /** No other process has the same, and a restart gets it again. */
  readonly id: string;
  /** Its state directory: processes that share one have the same. */
  readonly place: string;
  /** Where it answers queries (S11): the URL of its HTTP server. */
  readonly address?: string | undefined;
}

/** An instance of the application, as it told of itself. */
export interface Instance {
  readonly id: string;
  readonly place: string;
  readonly address: string | undefined;
  readonly tasks: ReadonlySet<TaskName>;
  readonly copies: ReadonlySet<TaskName>;
  /** False for one that left or fell silent a short while ago, and may come back. */
  readonly alive: boolean;
}

interface Known {
  readonly instance: Omit<Instance, 'alive'>;
  heard: number;
  left: boolean;
}

/** The instances of the application, by what they announce and when they were heard. Times are epoch milliseconds. */
export class Instances {
  private readonly known = new Map<string, Known>();

  /**
   * `heard` is when the announcement came, or, for those that were there before this instance read the topic, when it was
   * written: clocks of hosts may differ, and one that lives is heard again soon.
   */
  hear(id: string, { place, address, tasks, copies }: Announcement, heard: number): void {
    this.known.set(id, { instance: { id, place, address, tasks: taskNames(tasks), copies: taskNames(copies) }, heard, left: false });
  }

  /** It left in order. */
  leave(id: string, heard: number): void {
    const known = this.known.get(id);
    if (known === undefined) return;
    known.left = true;
    known.heard = heard;
  }

  /** Those that count now, by id. */
  at(now: number): Instance[] {
    const instances: Instance[] = [];
    for (const [id, { instance, heard, left }] of this.known) {
      const silent = now - heard;
      if (silent > FORGOTTEN_AFTER_MS) this.known.delete(id);
      else instances.push({ ...instance, alive: !left && silent <= GONE_AFTER_MS });
    }
    return instances.sort((a, b) => (a.id < b.id ? -1 : 1));
  }
}
