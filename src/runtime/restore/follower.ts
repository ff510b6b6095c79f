import { KstreamdError } from '../../core/errors.js';
import { type LogEnd, partitionKey } from '../../core/transport.js';
import { Signal } from '../signal.js';
import type { Changelog, ChangelogCopy, CopySurroundings } from './changelog-copy.js';
import { copiesOf, type RestoredStorage, runAll } from './task-stores.js';

const ASK_EVERY_MS = 5_000;

export interface FollowerOptions extends CopySurroundings {
  readonly storages: readonly RestoredStorage[];
  /** How often the ends of the changelogs are asked for, which is what lag is measured by; 5 s unless told. */
  readonly askEveryMs?: number | undefined;
  /** How it is counted; as a standby unless told. */
  readonly counts?: FollowerCounts | undefined;
}

export interface FollowerCounts {
  followed(store: string, records: number): void;
  /** Undefined when it is not followed any more. */
  lag(store: string, partition: number, offsets: number | undefined): void;
}

/** How far a standby store is behind. */
export interface StandbyProgress {
  readonly store: string;
  readonly topic: string;
  readonly partition: number;
  /** The next offset, and the end of the changelog when it was asked for last. */
  readonly position: number;
  readonly end: number;
  readonly lag: number;
  /** Copied since the follower was started. */
  readonly records: number;
}

/**
 * A standby (S10): copies the changelogs of a task that another instance runs into stores here, until the task comes here
 * or the copy is no longer wanted. Then `stop`, and give the storages to a Restoration, which needs the tail only.
 */
export class Follower {
  private readonly copies: readonly ChangelogCopy[];
  private readonly known = new Map<Changelog, { position: number; end: number; records: number; goal: number }>();
  private readonly counts: FollowerCounts;
  private readonly stopped = new Signal();
  private stopping = false;
  /** The last question for ends of logs was. */
  private answered = true;
  private running: Promise<void> | undefined;

  constructor(private readonly options: FollowerOptions) {
    const { metrics } = options;
    this.counts = options.counts ?? {
      followed: (store, records) => metrics.followed(store, records),
      lag: (store, partition, offsets) => metrics.standbyLag(store, partition, offsets),
    };
    this.copies = copiesOf(options.storages, true, options, (changelog) => {
      const known = { position: 0, end: 0, records: 0, goal: Number.POSITIVE_INFINITY };
      this.known.set(changelog, known);
      return {
        started: (from, end) => {
          Object.assign(known, { position: from, end, goal: end });
          this.measure(changelog);
        },
        wrote: (records, _bytes, position) => {
          known.position = position;
          known.records += records;
          this.counts.followed(changelog.store, records);
          this.measure(changelog);
        },
      };
    });
  }

  /** Follows until `stop`, and resolves then; rejects as a Restoration does. The storages belong to it meanwhile. */
  follow(): Promise<void> {
    this.running ??= this.run().finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  /** When this resolves, what was read is in the storages, with its position, and nothing more is written to them. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.stopped.notify();
    for (const copy of this.copies) copy.stop();
    await this.running?.catch(() => undefined);
  }

  /** Every store has all that was in its changelog when it began, or began anew. */
  get wasComplete(): boolean {
    return [...this.known.values()].every(({ position, goal }) => position >= goal);
  }

  /** One entry a store. */
  status(): readonly StandbyProgress[] {
    return [...this.known].map(([{ store, topic, partition }, { position, end, records }]) => {
      return { store, topic, partition, position, end, lag: Math.max(0, end - position), records };
    });
  }

  private async run(): Promise<void> {
    this.stopping = false;
    const copying = runAll(this.copies).finally(() => {
      this.stopping = true;
      this.stopped.notify();
    });
    const asking = this.askOnAndOn();
    try {
      await copying;
    } finally {
      await asking;
      for (const { store, partition } of this.known.keys()) this.counts.lag(store, partition, undefined);
    }
  }

  private async askOnAndOn(): Promise<void> {
    const { askEveryMs = ASK_EVERY_MS } = this.options;
    while (!this.stopping) {
      await this.stopped.wait(askEveryMs);
      if (!this.stopping) await this.askEnds();
    }
  }

  /** A standby that cannot ask goes on copying: it is only a copy. */
  private async askEnds(): Promise<void> {
    const { admin, clock, logger } = this.options;
    const asked = clock.now();
    try {
      const ends = await admin.logEnds(this.copies.map(({ changelog: { topic, partition } }) => ({ topic, partition })));
      const endOf = new Map(ends.map((end) => [partitionKey(end), end]));
      const upTo = await this.askCommitted();
      for (const copy of this.copies) this.learn(copy, endOf.get(partitionKey(copy.changelog)), asked, upTo);
      this.answered = true;
    } catch (error) {
      if (!(error instanceof KstreamdError)) throw error;
      const level = this.answered ? 'warn' : 'debug';
      this.answered = false;
      logger[level]({ err: error.message, code: error.code }, 'the ends of changelogs that are followed are not known; trying again');
    }
  }

  /** What the group has committed of the topics of tables: no copy goes beyond (S5). */
  private async askCommitted(): Promise<ReadonlyMap<string, number>> {
    const tables = this.copies.filter(({ changelog }) => changelog.table !== undefined).map(({ changelog: { topic, partition } }) => ({ topic, partition }));
    if (tables.length === 0) return new Map();
    const committed = (await this.options.committed?.(tables)) ?? [];
    return new Map(committed.map((offset) => [partitionKey(offset), offset.offset]));
  }

  private learn(copy: ChangelogCopy, end: LogEnd | undefined, asked: number, upTo: ReadonlyMap<string, number>): void {
    const known = this.known.get(copy.changelog);
    if (known === undefined || end === undefined) return;
    known.end = end.offset;
    this.measure(copy.changelog);
    copy.learn(end, asked, upTo.get(partitionKey(copy.changelog)));
  }

  private measure(changelog: Changelog): void {
    const known = this.known.get(changelog);
    if (known) this.counts.lag(changelog.store, changelog.partition, Math.max(0, known.end - known.position));
  }
}
