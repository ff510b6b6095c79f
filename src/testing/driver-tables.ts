import { latin1Of } from '../core/latin1.js';
import type { Logger } from '../core/logger.js';
import type { GlobalTableDefinition, NamedWrite, StoreEngine } from '../core/store.js';
import type { CacheBudget } from '../runtime/cache-budget.js';
import { BatchGate } from '../runtime/globals/batch-gate.js';
import { type GlobalViews, globalView } from '../runtime/globals/global-views.js';
import { SchemaNeeds } from '../runtime/globals/schema-needs.js';
import { TableStore } from '../runtime/globals/table-store.js';
import type { OpenStore } from '../runtime/stores/store-kind.js';
import { TaskState } from '../runtime/task-state.js';
import type { SerdeSet } from '../serdes/serde-set.js';
import { memoryEngine } from '../stores/memory.js';
import type { Topology } from '../topology/topology.js';

export interface DriverTablesOptions {
  readonly serdes: SerdeSet;
  /** Engines beside `memory`, which every table gets otherwise. */
  readonly engines: ReadonlyMap<string, StoreEngine> | undefined;
  readonly cache: CacheBudget;
  readonly logger: Logger;
}

interface DriverTable {
  readonly definition: GlobalTableDefinition;
  readonly store: TableStore;
  readonly view: OpenStore['view'];
  waiting: NamedWrite[];
  next: number;
}

/** The global tables of a driver: what was sent to their topics is in them when the next records are processed. */
export class DriverTables implements GlobalViews {
  private constructor(private readonly tables: ReadonlyMap<string, DriverTable>) {}

  static async open(topology: Topology, options: DriverTablesOptions): Promise<DriverTables> {
    const tables = new Map<string, DriverTable>();
    for (const definition of topology.globals.values()) tables.set(definition.name, await openTable(topology.applicationId, definition, options));
    return new DriverTables(tables);
  }

  get(name: string): Pick<OpenStore, 'view'> | undefined {
    return this.tables.get(name);
  }

  /** A record of any topic; one without a key is left out (S6). */
  add(topic: string, key: Buffer | null, value: Buffer | null): void {
    for (const table of this.tables.values()) if (table.definition.topic === topic && key !== null) table.waiting.push({ name: latin1Of(key), value });
  }

  /** Everything added becomes visible. */
  async settle(): Promise<void> {
    for (const table of this.tables.values()) {
      if (table.waiting.length === 0) continue;
      const { definition, store, waiting } = table;
      table.waiting = [];
      table.next += waiting.length;
      await store.apply([{ store: definition.name, writes: waiting }], [{ topic: definition.topic, partition: 0, offset: table.next }]);
    }
  }

  async close(): Promise<void> {
    for (const { store } of this.tables.values()) await store.close();
  }
}

async function openTable(application: string, definition: GlobalTableDefinition, options: DriverTablesOptions): Promise<DriverTable> {
  const { serdes, engines = new Map([[definition.engine, memoryEngine()]]), cache, logger } = options;
  const serdeFor = (format: string) => serdes.get(format);
  const [key, value] = [serdeFor(definition.key), serdeFor(definition.value)];
  if (key === undefined || value === undefined) throw new Error(`the global table ${definition.name} names a format that does not exist`);
  const store = await TableStore.open({
    definition,
    application,
    directory: '',
    openState: (asked) => TaskState.open({ ...asked, engines, serdeFor, cache }),
    gate: new BatchGate(() => {}),
    needs: SchemaNeeds.of(key, value),
    patiently: (question) => question(),
    logger,
  });
  store.show();
  return { definition, store, view: globalView(definition.name, store.bytes, key, value), waiting: [], next: 0 };
}
