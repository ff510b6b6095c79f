import { join } from 'node:path';
import { ConfigError, messageOf } from '../../core/errors.js';
import type { Serde } from '../../core/serde.js';
import type { GlobalTableDefinition } from '../../core/store.js';
import type { TopicAdmin } from '../../core/transport.js';
import type { EngineMetrics } from '../metrics.js';
import { ChangelogReader } from '../restore/changelog-reader.js';
import { Signal } from '../signal.js';
import type { OpenStore } from '../stores/store-kind.js';
import { Watch } from '../watch.js';
import type { WorkerOptions } from '../worker-options.js';
import { BatchGate } from './batch-gate.js';
import { GlobalTable } from './global-table.js';
import type { GlobalViews } from './global-views.js';
import { type GlobalTableReader, TableReader } from './table-reader.js';
import type { GlobalTableStatus } from './table-status.js';
import { countPartitions } from './table-topics.js';

/** No store and no flow can have such a name, so it meets no task's directory. */
const FOLDER = '@global';
/**
 * Bytes on their way from the topics to the tables. What a copy gathers becomes visible in one step, which other work waits
 * for: hence no more than this.
 */
const MAX_BYTES = 8 * 1024 * 1024;
const COUNT_EVERY_MS = 1_000;
const LOOK_AGAIN_MS = 1_000;

export type GlobalTablesOptions = Pick<WorkerOptions, 'topology' | 'transport' | 'openState' | 'stateDir' | 'serdeFor' | 'watchMs' | 'clock' | 'logger'> & {
  readonly engineMetrics: EngineMetrics;
  /** The gate for batches was opened again. */
  readonly opened: () => void;
  /** A table has failed for good after `load`. */
  readonly failed: (error: unknown) => void;
};

/** The global tables of one process (S6). They outlive memberships of the group, so that only the start waits for them. */
export class GlobalTables implements GlobalViews {
  readonly gate: BatchGate;
  private readonly tables = new Map<string, GlobalTable>();
  private readonly changed = new Signal();
  private readonly runs: Promise<void>[] = [];
  private readonly watch: Watch;
  private started: Promise<void> | undefined;
  private admin: TopicAdmin | undefined;
  private readonly readers: { readonly reader: ChangelogReader; readonly topics: Set<string> }[] = [];
  private counting: NodeJS.Timeout | undefined;
  private abandoned = false;
  private failure: { readonly error: unknown } | undefined;

  constructor(private readonly options: GlobalTablesOptions) {
    this.gate = new BatchGate(options.opened);
    this.watch = new Watch(
      () => this.lookForPartitions(),
      (error) => this.fail(error),
      options.watchMs,
    );
  }

  /**
   * Resolves when every table has all that was in its topic, or when `abandon` was called; at once when they are loaded.
   * Rejects with a ConfigError (`topic/missing`, `format/unknown`), or as a Restoration does.
   */
  async load(): Promise<void> {
    this.started ??= this.start();
    await this.started;
    while (!this.abandoned && this.failure === undefined && this.loading.length > 0) await this.changed.wait(LOOK_AGAIN_MS);
    if (this.failure !== undefined) throw this.failure.error;
  }

  /** Nobody waits for `load` any more. */
  abandon(): void {
    this.abandoned = true;
    this.changed.notify();
  }

  /** Names of the tables that are not complete. */
  get loading(): readonly string[] {
    const { globals } = this.options.topology;
    return [...globals.keys()].filter((name) => this.tables.get(name)?.loading ?? true);
  }

  get(name: string): Pick<OpenStore, 'view'> | undefined {
    return this.tables.get(name);
  }

  /** For readers beside the tasks (S11); undefined for a name that is no global table, and before `load`. */
  reading(name: string): GlobalTableReader | undefined {
    const table = this.tables.get(name);
    return table && new TableReader(table);
  }

  /** Whether a table lies in the directory. */
  holds(directory: string): boolean {
    return [...this.tables.values()].some((table) => table.holds(directory));
  }

  /** The files of a table are damaged: it is read anew, and no batch begins meanwhile (E4). False when they are no table's. */
  damaged(directory: string, problem: string): boolean {
    return [...this.tables.values()].some((table) => table.damaged(directory, problem));
  }

  status(): Promise<GlobalTableStatus[]> {
    return Promise.all([...this.tables.values()].map((table) => table.status()));
  }

  /** To be called when no task is open any more. Does not reject. */
  async close(): Promise<void> {
    this.abandon();
    await this.started?.catch(() => undefined);
    this.watch.stop();
    clearInterval(this.counting);
    for (const table of this.tables.values()) table.stop();
    await Promise.all(this.runs);
    await this.disconnect();
  }

  private async start(): Promise<void> {
    const { topology, transport } = this.options;
    const definitions = [...topology.globals.values()];
    for (const definition of definitions) this.serdesOf(definition);
    this.admin = await transport.admin();
    await countPartitions(definitions, this.admin);
    const readers: ChangelogReader[] = [];
    for (const { topic } of definitions) readers.push(await this.readerFor(topic));
    for (const [i, definition] of definitions.entries()) this.run(this.open(definition, readers[i] as ChangelogReader, this.admin));
    this.watch.start();
    this.counting = setInterval(() => this.tellCounters(), COUNT_EVERY_MS).unref();
  }

  /** One for all tables, but for those of a topic that another table has as well: a reader reads a partition once. */
  private async readerFor(topic: string): Promise<ChangelogReader> {
    const { transport, logger } = this.options;
    let free = this.readers.find(({ topics }) => !topics.has(topic));
    if (free === undefined) {
      free = { reader: new ChangelogReader(await transport.reader({ isolation: 'read_committed' }), logger, MAX_BYTES), topics: new Set() };
      this.readers.push(free);
    }
    free.topics.add(topic);
    return free.reader;
  }

  private open(definition: GlobalTableDefinition, reader: ChangelogReader, admin: TopicAdmin): GlobalTable {
    const { topology, stateDir, openState, clock, engineMetrics: metrics } = this.options;
    const table = new GlobalTable({
      definition,
      application: topology.applicationId,
      directory: join(stateDir, FOLDER, definition.name),
      openState,
      ...this.serdesOf(definition),
      reader,
      admin,
      gate: this.gate,
      clock,
      logger: this.options.logger.child({ table: definition.name }),
      metrics,
    });
    this.tables.set(definition.name, table);
    return table;
  }

  private run(table: GlobalTable): void {
    this.runs.push(table.run(() => this.changed.notify()).catch((error: unknown) => this.fail(error)));
  }

  private serdesOf({ name, key, value }: GlobalTableDefinition): { key: Serde<unknown>; value: Serde<unknown> } {
    const format = (asked: string): Serde<unknown> => {
      const serde = this.options.serdeFor?.(asked);
      if (serde === undefined) throw new ConfigError('format/unknown', `the global table ${name} names the format ${asked}, which does not exist`);
      return serde;
    };
    return { key: format(key), value: format(value) };
  }

  private async lookForPartitions(): Promise<void> {
    const { admin } = this;
    if (admin === undefined) return;
    const counts = await countPartitions(this.options.topology.globals.values(), admin);
    for (const table of this.tables.values()) table.grown(counts.get(table.definition.topic) as number);
  }

  private tellCounters(): void {
    for (const table of this.tables.values()) table.tellCounters();
  }

  private fail(error: unknown): void {
    this.failure ??= { error };
    this.changed.notify();
    this.options.failed(error);
  }

  private async disconnect(): Promise<void> {
    const closed = await Promise.allSettled([...this.readers.map(({ reader }) => reader.close()), this.admin?.close()]);
    for (const result of closed) if (result.status === 'rejected') this.options.logger.warn({ err: messageOf(result.reason) }, 'closing failed');
  }
}
