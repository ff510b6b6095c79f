import { StoreCorruptedError } from '../../core/errors.js';
import { bytesOfLatin1 } from '../../core/latin1.js';
import type { Logger } from '../../core/logger.js';
import type { GlobalTableDefinition, NamedWrite, StoreDefinition, StoredPosition, StoreReader, StoreWrites, TaskStorage } from '../../core/store.js';
import { type PartitionOffset, partitionKey } from '../../core/transport.js';
import type { OpenTaskState } from '../assignment.js';
import type { Changelog } from '../restore/changelog-copy.js';
import type { RestoredStorage } from '../restore/task-stores.js';
import type { StoreRows } from '../store-view.js';
import type { TaskState } from '../task-state.js';
import type { BatchGate } from './batch-gate.js';
import type { SchemaNeeds } from './schema-needs.js';
import { WholeTable } from './whole-table.js';

export interface TableStoreOptions {
  readonly definition: GlobalTableDefinition;
  /** The pipeline's name. */
  readonly application: string;
  /** The table's own directory. */
  readonly directory: string;
  readonly openState: OpenTaskState;
  readonly gate: BatchGate;
  readonly needs: SchemaNeeds | undefined;
  /** Repeats a question until it is answered; rejects when it is of no use any more. */
  readonly patiently: <T>(question: () => Promise<T>) => Promise<T>;
  readonly logger: Logger;
}

/**
 * A global table while it is open, as the copies of its partitions write to it. Until `show` nobody reads it, and writes go
 * straight to the engine. From then on what a copy writes at once becomes visible in one step between two batches, in
 * memory first and in the engine after that (S6).
 */
export class TableStore implements TaskStorage {
  readonly bytes: StoreRows;
  private readonly shared: WholeTable;
  private staged: readonly NamedWrite[] = [];
  private shown = false;
  private offsets: readonly PartitionOffset[] = [];

  private constructor(
    readonly state: TaskState,
    private readonly storage: TaskStorage,
    private readonly known: Map<string, StoredPosition>,
    private readonly options: TableStoreOptions,
  ) {
    this.bytes = state.bytesOf(options.definition.name);
    this.shared = new WholeTable(this, true, true);
  }

  /** Rejects as TaskState.open does. */
  static async open(options: TableStoreOptions): Promise<TableStore> {
    const { definition, application, directory, logger } = options;
    const { name, topic } = definition;
    const state = await options.openState({ application, directory, stores: [rawStore(definition)], logger });
    try {
      const [own] = state.restorable([{ store: name, topic, partition: 0 }]);
      const { storage } = own as RestoredStorage;
      const known = new Map((await storage.positions()).map((position) => [partitionKey(position), position]));
      return new TableStore(state, storage, known, options);
    } catch (error) {
      if (error instanceof StoreCorruptedError) state.condemn(error.message);
      await state.close();
      if (error instanceof StoreCorruptedError) return TableStore.open(options);
      throw error;
    }
  }

  /** Where it lies; undefined when nothing is kept on disk. */
  get directory(): string | undefined {
    return this.state.directory;
  }

  /** The next offset of each partition, as of what can be seen now. */
  get visible(): readonly PartitionOffset[] {
    return this.offsets;
  }

  /** What the copies of some partitions are given. */
  copied(changelogs: readonly Changelog[]): RestoredStorage {
    return { storage: this, shared: this.shared, changelogs };
  }

  /** All that was written becomes visible, and from now on each write does. */
  show(): void {
    this.shown = true;
    this.noteVisible();
  }

  /** The schemas of all rows that are there are at hand. */
  async prepareAll(): Promise<void> {
    const { needs, patiently, definition } = this.options;
    if (needs === undefined) return;
    const scan = this.storage.store(definition.name).scan({});
    try {
      for (let rows = await scan.next(); rows.length > 0; rows = await scan.next()) {
        const some = rows;
        await patiently(async () => needs.ofRows(some));
      }
    } finally {
      await scan.close();
    }
  }

  store(name: string): StoreReader {
    return this.storage.store(name);
  }

  /** Writes without positions are the first part of what the next ones with positions end. */
  async apply(changes: readonly StoreWrites[], positions: readonly StoredPosition[]): Promise<void> {
    const writes = this.staged.concat(...changes.map((change) => change.writes));
    if (!this.shown) {
      await this.applyUnseen(changes, positions);
    } else if (positions.length === 0) {
      this.staged = writes;
    } else {
      this.staged = [];
      await this.applyInOneStep(writes, positions);
    }
  }

  positions(): readonly StoredPosition[] {
    return [...this.known.values()];
  }

  /** Nobody sees it any more until `show`. Its copies must have ended, and the gate be closed and quiet. */
  hide(): void {
    this.shown = false;
    this.staged = [];
    this.offsets = [];
    this.bytes.buffer.clear();
  }

  /** To be hidden before. */
  async clear(): Promise<void> {
    try {
      await this.storage.clear();
    } catch (error) {
      this.state.distrust();
      throw error;
    }
    this.known.clear();
  }

  close(): Promise<void> {
    return this.state.close();
  }

  private async applyUnseen(changes: readonly StoreWrites[], positions: readonly StoredPosition[]): Promise<void> {
    try {
      await this.storage.apply(changes, positions);
    } catch (error) {
      this.state.distrust();
      throw error;
    }
    this.note(positions);
  }

  private async applyInOneStep(writes: readonly NamedWrite[], positions: readonly StoredPosition[]): Promise<void> {
    const { gate, needs, patiently } = this.options;
    if (needs !== undefined) await patiently(async () => needs.ofRows(writes.map(({ name, value }) => [bytesOfLatin1(name), value] as const)));
    await gate.between(() => {
      for (const { name, value } of writes) this.bytes.buffer.write(name, value);
      this.state.endBatch();
      this.state.committed();
      this.note(positions);
      this.noteVisible();
    });
    await this.state.flush(positions);
  }

  private note(positions: readonly StoredPosition[]): void {
    for (const position of positions) this.known.set(partitionKey(position), position);
  }

  private noteVisible(): void {
    const read = [...this.known.values()].filter(({ offset }) => offset >= 0);
    this.offsets = read.map(({ topic, partition, offset }) => ({ topic, partition, offset })).sort((a, b) => a.partition - b.partition);
  }
}

/** Its rows are the topic's bytes whatever formats they are read with, and its topic can always fill it again (E4). */
function rawStore({ name, topic, engine }: GlobalTableDefinition): StoreDefinition {
  return { name, type: 'key-value', engine, key: 'bytes', value: 'bytes', changelog: { topic, config: {} } };
}
