import type { CommittedOffset } from '../../core/transport.js';
import { partitionKey } from '../../core/transport.js';
import type { Changelog, ChangelogCopy, CopyEvents, CopySurroundings } from './changelog-copy.js';
import type { RestoredStore, RestoreListener } from './listener.js';
import { ProgressCounter, type RestoreProgress } from './progress.js';
import { copiesOf, type RestoredStorage, runAll } from './task-stores.js';

const LOG_EVERY_MS = 5_000;

export interface RestorationOptions extends CopySurroundings {
  readonly storages: readonly RestoredStorage[];
  readonly listener?: RestoreListener | undefined;
  /** How often a line tells how far it is; 5 s unless told. */
  readonly logEveryMs?: number | undefined;
}

/**
 * Fills a task's stores from their changelogs before the task starts (S4). Many of these share one ChangelogReader and run
 * at the same time. The storages belong to the restoration from `restore` until it or `suspend` has resolved.
 */
export class Restoration {
  private readonly counters = new Map<Changelog, ProgressCounter>();
  private readonly copies: readonly ChangelogCopy[];
  private running: Promise<'restored' | 'suspended'> | undefined;
  /** Of this run. */
  private readonly started = new Set<Changelog>();
  /** What the last line told, to see whether anything moves. */
  private told = -1;

  constructor(private readonly options: RestorationOptions) {
    this.copies = copiesOf(options.storages, false, options, (changelog) => {
      const counter = new ProgressCounter(changelog.store, changelog.topic, changelog.partition, options.clock);
      this.counters.set(changelog, counter);
      return this.eventsOf(changelog, counter);
    });
  }

  /**
   * Resolves when every store is at the end that its changelog has now, or when `suspend` was called. The argument shows
   * that the task's committed offsets came back stable before: a changelog's end asked for earlier may lie before what
   * belongs to them. Called again it restores what has come since, or goes on where it was suspended.
   * Rejects with a BrokerError, or a StoreError (`state/changelog-unstable`, `store/…`); the storages can then be closed.
   */
  restore(committed: readonly CommittedOffset[]): Promise<'restored' | 'suspended'> {
    this.running ??= this.run(committed).finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  /** Stops at a batch boundary; what was read is in the storages, with its position, when this resolves. */
  async suspend(): Promise<void> {
    for (const copy of this.copies) copy.stop();
    await this.running?.catch(() => undefined);
  }

  /** One entry a store. */
  status(): readonly RestoreProgress[] {
    return [...this.counters.values()].map((counter) => counter.snapshot());
  }

  private async run(committed: readonly CommittedOffset[]): Promise<'restored' | 'suspended'> {
    const { logger, metrics, logEveryMs = LOG_EVERY_MS } = this.options;
    const began = performance.now();
    this.started.clear();
    for (const counter of this.counters.values()) counter.start(counter.position, counter.end);
    logger.debug({ committed: committed.map((offset) => `${partitionKey(offset)}@${offset.offset}`) }, 'looking for what the stores miss');
    const lines = setInterval(() => this.tellProgress(), logEveryMs);
    try {
      const end = await runAll(this.copies, (copy, reached) => this.ended(copy.changelog, reached));
      const seconds = (performance.now() - began) / 1000;
      if (end === 'reached') metrics.restore.observe(seconds);
      this.tellEnd(end, seconds);
      return end === 'reached' ? 'restored' : 'suspended';
    } finally {
      clearInterval(lines);
      for (const { store, partition } of this.counters.keys()) metrics.restoreRemaining(store, partition, undefined);
    }
  }

  private ended(changelog: Changelog, end: 'reached' | 'stopped'): void {
    if (!this.started.has(changelog)) return;
    const { listener } = this.options;
    const records = this.counters.get(changelog)?.records ?? 0;
    if (end === 'reached') listener?.onEnd?.(restoredStore(changelog), records);
    else listener?.onSuspended?.(restoredStore(changelog), records);
  }

  private eventsOf(changelog: Changelog, counter: ProgressCounter): CopyEvents {
    const { listener, metrics } = this.options;
    const { store, partition } = changelog;
    const restored = restoredStore(changelog);
    return {
      started: (from, end) => {
        const again = this.started.has(changelog);
        counter.start(from, end);
        metrics.restoreRemaining(store, partition, counter.remaining);
        listener?.onStart?.(restored, from, end);
        this.started.add(changelog);
        if (!again && this.started.size === this.counters.size) this.tellStart();
      },
      wrote: (records, bytes, position) => {
        counter.add(records, bytes, position);
        metrics.restored(store, records);
        metrics.restoreRemaining(store, partition, counter.remaining);
        if (records > 0) listener?.onBatch?.(restored, position, records);
      },
    };
  }

  private tellStart(): void {
    const { remaining } = this.sum();
    const stores = [...new Set([...this.counters.keys()].map(({ store }) => store))];
    this.options.logger[remaining > 0 ? 'info' : 'debug']({ stores, remaining }, 'restoring stores from their changelogs');
  }

  private tellProgress(): void {
    const { logger } = this.options;
    const { position, remaining, records } = this.sum();
    if (position === this.told && remaining > 0) {
      const why = 'a transaction that a dead instance left open holds it up until it times out, or the broker is away';
      logger.warn({ records, remaining }, `restoring stores: nothing came since the last line; ${why}`);
    } else {
      const all = this.status();
      const recordsPerSecond = Math.round(all.reduce((sum, one) => sum + one.recordsPerSecond, 0));
      const secondsLeft = Math.round(Math.max(0, ...all.map((one) => one.secondsLeft ?? 0)));
      logger.info({ records, remaining, recordsPerSecond, secondsLeft }, 'restoring stores');
    }
    this.told = position;
  }

  private tellEnd(end: 'reached' | 'stopped', seconds: number): void {
    const { logger } = this.options;
    const { records, bytes, remaining } = this.sum();
    if (end === 'stopped') {
      logger.info({ records, bytes, remaining }, 'restore suspended; it goes on from here');
      return;
    }
    const recordsPerSecond = Math.round(records / Math.max(seconds, 0.001));
    logger[records > 0 ? 'info' : 'debug']({ records, bytes, seconds: Math.round(seconds * 1000) / 1000, recordsPerSecond }, 'stores restored');
  }

  private sum(): { position: number; remaining: number; records: number; bytes: number } {
    const sum = { position: 0, remaining: 0, records: 0, bytes: 0 };
    for (const { position, remaining, records, bytes } of this.counters.values()) {
      sum.position += position;
      sum.remaining += remaining;
      sum.records += records;
      sum.bytes += bytes;
    }
    return sum;
  }
}

function restoredStore({ store, topic, partition }: Changelog): RestoredStore {
  return { store, changelog: { topic, partition } };
}
