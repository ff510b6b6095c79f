import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Logger } from '../../../../src/core/logger.js';
import type { Labels, Metrics } from '../../../../src/core/metrics.js';
import type { TaskStorage } from '../../../../src/core/store.js';
import { EngineMetrics } from '../../../../src/runtime/metrics.js';
import type { Changelog, CopySurroundings } from '../../../../src/runtime/restore/changelog-copy.js';
import { ChangelogReader } from '../../../../src/runtime/restore/changelog-reader.js';
import type { RestoreListener } from '../../../../src/runtime/restore/listener.js';
import { Restoration } from '../../../../src/runtime/restore/restoration.js';
import { levelEngine } from '../../../../src/stores/leveldb.js';
import { memoryEngine } from '../../../../src/stores/memory.js';
import { ManualClock } from '../../../../src/testing/manual-clock.js';
import { MemoryBroker } from '../../../../src/testing/memory-broker.js';
import { OpenTransaction } from '../../../../src/testing/memory-transactions.js';

export const DAY = 86_400_000;

/** A key and a value; a null value deletes. */
export type Entry = readonly [string | null, string | null];

/** Keeps what is counted, by name and labels. */
export class CountedMetrics implements Metrics {
  readonly values = new Map<string, number>();

  counter(name: string, labels: Labels = {}) {
    return { add: (amount = 1) => this.set(name, labels, (this.get(name, labels) ?? 0) + amount) };
  }

  gauge(name: string, labels: Labels = {}) {
    return { set: (value: number) => this.set(name, labels, value) };
  }

  histogram(name: string, labels: Labels = {}) {
    return { observe: () => this.set(name, labels, (this.get(name, labels) ?? 0) + 1) };
  }

  remove(name: string, labels: Labels): void {
    this.values.delete(keyOf(name, labels));
  }

  get(name: string, labels: Labels = {}): number | undefined {
    return this.values.get(keyOf(name, labels));
  }

  private set(name: string, labels: Labels, value: number): void {
    this.values.set(keyOf(name, labels), value);
  }
}

const keyOf = (name: string, labels: Labels): string => `${name}${JSON.stringify(Object.entries(labels).sort())}`;

/** Log lines with their level and fields. */
export interface Line {
  readonly level: string;
  readonly message: string;
  readonly fields: Record<string, unknown>;
}

/** A broker in memory, the clock and what restores need besides; `close` ends it all. */
export class World {
  readonly broker = new MemoryBroker({ readWaitMs: 2 });
  readonly clock = new ManualClock();
  readonly metrics = new CountedMetrics();
  readonly lines: Line[] = [];
  private readonly endings: (() => unknown)[] = [];

  /** `maxBytes` small: chunks of a few records. */
  async surroundings(maxBytes?: number): Promise<CopySurroundings> {
    const reader = new ChangelogReader(await this.broker.reader({ isolation: 'read_committed' }), this.logger, maxBytes);
    this.endings.unshift(() => reader.close());
    return { reader, admin: await this.broker.admin(), clock: this.clock, logger: this.logger, metrics: new EngineMetrics(this.metrics) };
  }

  /** Writes at once, seen by everybody. */
  write(topic: string, entries: readonly Entry[], partition = 0): void {
    for (const [key, value] of entries) this.broker.append(topic, { partition, key: bytes(key), value: bytes(value) });
  }

  /** Writes in a transaction that the caller ends; readers notice within their wait. */
  transact(topic: string, entries: readonly Entry[], partition = 0): OpenTransaction {
    const transaction = new OpenTransaction();
    const records = entries.map(([key, value]) => ({ topic, partition, key: bytes(key), value: bytes(value), timestamp: 0, headers: [] }));
    this.broker.write(records, transaction);
    return transaction;
  }

  async storage(engine: 'memory' | 'leveldb', stores: readonly string[] = ['s']): Promise<TaskStorage> {
    if (engine === 'memory') return (await memoryEngine().openTask({ stores, directory: '' })) as TaskStorage;
    const directory = await mkdtemp(join(tmpdir(), 'kstreamd-restore-'));
    const storage = await levelEngine().openTask({ stores, directory });
    this.endings.push(async () => {
      await storage.close();
      await rm(directory, { recursive: true });
    });
    return storage;
  }

  async close(): Promise<void> {
    for (const end of this.endings.splice(0)) await end();
  }

  readonly logger: Logger = {
    debug: (fields, message) => this.note('debug', fields, message),
    info: (fields, message) => this.note('info', fields, message),
    warn: (fields, message) => this.note('warn', fields, message),
    error: (fields, message) => this.note('error', fields, message),
    child: () => this.logger,
  };

  private note(level: string, fields: object, message: string): void {
    this.lines.push({ level, message, fields: fields as Record<string, unknown> });
  }
}

export const bytes = (text: string | null): Buffer | null => (text === null ? null : Buffer.from(text));

/** Everything that a store holds. */
export async function contents(storage: TaskStorage, store = 's'): Promise<Record<string, string>> {
  const scan = storage.store(store).scan({});
  const found: [string, string][] = [];
  for (let entries = await scan.next(); entries.length > 0; entries = await scan.next()) {
    for (const [key, value] of entries) found.push([key.toString(), value.toString()]);
  }
  await scan.close();
  return Object.fromEntries(found);
}

/** What a store holds after these. */
export function fold(entries: readonly Entry[]): Record<string, string> {
  const model = new Map<string, string>();
  for (const [key, value] of entries) {
    if (key === null) continue;
    if (value === null) model.delete(key);
    else model.set(key, value);
  }
  return Object.fromEntries([...model].sort());
}

/** The storage, whose applies fail from the nth on, as if the process had died there. */
export function dyingAfter(storage: TaskStorage, applies: number): TaskStorage {
  let left = applies;
  return {
    store: (name) => storage.store(name),
    positions: () => storage.positions(),
    clear: () => storage.clear(),
    close: () => storage.close(),
    apply: (changes, positions) => {
      if (left-- <= 0) throw new Error('died');
      return storage.apply(changes, positions);
    },
  };
}

export const CHANGELOG: Changelog = { store: 's', topic: 'c', partition: 0 };
/** Chunks of a few records. */
export const SMALL = 400;

export interface RestoringOptions {
  readonly listener?: RestoreListener;
  readonly others?: boolean;
  readonly persistent?: boolean;
}

export const restoring = (around: CopySurroundings, storage: TaskStorage, { listener, ...options }: RestoringOptions = {}): Restoration =>
  new Restoration({ ...around, listener, storages: [{ storage, changelogs: [CHANGELOG], ...options }] });

export const numbered = (count: number, keys = 10): Entry[] => Array.from({ length: count }, (_, i) => [`k${i % keys}`, i % 7 === 3 ? null : `v${i}`] as const);

/** Restores until so many batches and one more were written, and suspends; resolves to how that ended. */
export async function suspendedAfter(
  batches: number,
  around: CopySurroundings,
  storage: TaskStorage,
  { listener = {}, ...options }: RestoringOptions = {},
): Promise<Awaited<ReturnType<Restoration['restore']>>> {
  let seen = 0;
  const suspended: Promise<void>[] = [];
  const restoration = restoring(around, storage, {
    ...options,
    listener: {
      ...listener,
      onBatch: (...told) => {
        listener.onBatch?.(...told);
        if (seen++ >= batches) suspended.push(restoration.suspend());
      },
    },
  });
  const end = await restoration.restore([]);
  await Promise.all(suspended);
  return end;
}
