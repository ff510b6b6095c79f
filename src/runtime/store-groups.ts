import { ConfigError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import type { Serde } from '../core/serde.js';
import type { HeldTaskDirectory, StoreDefinition, StoreEngine, TaskStorage } from '../core/store.js';
import type { CacheBudget } from './cache-budget.js';
import { giveUpOutdated } from './outdated-stores.js';
import { openStore } from './stores/open-store.js';
import type { OpenStore } from './stores/store-kind.js';
import { batchReader, openTaskStorage } from './task-storage.js';
import type { WriteBuffer } from './write-buffer.js';

/** What the stores of a task are opened with. */
export interface StoreGroupOptions {
  readonly stores: readonly StoreDefinition[];
  /** By the name that stores give as their engine. */
  readonly engines: ReadonlyMap<string, StoreEngine>;
  readonly serdeFor: (format: string) => Serde<unknown> | undefined;
  /** Shared by all tasks of the process (S17). */
  readonly cache: CacheBudget;
  readonly logger: Logger;
}

/** The stores of one engine: one atomic write covers them. */
export interface StoreGroup {
  readonly storage: TaskStorage;
  readonly persistent: boolean;
  readonly buffers: readonly WriteBuffer[];
  readonly definitions: readonly StoreDefinition[];
}

/** Opens them engine by engine. Nothing stays open when one of them fails. */
export async function openGroups(
  engines: ReadonlyMap<string, StoreEngine>,
  held: HeldTaskDirectory | undefined,
  options: StoreGroupOptions & { readonly directory: string },
): Promise<{ readonly groups: readonly StoreGroup[]; readonly stores: ReadonlyMap<string, OpenStore> }> {
  const stores = new Map<string, OpenStore>();
  const groups: StoreGroup[] = [];
  try {
    for (const [name, engine] of engines) {
      const definitions = options.stores.filter((store) => store.engine === name);
      const storage = await openTaskStorage(
        engine,
        definitions.map((store) => store.name),
        held?.directory ?? options.directory,
      );
      const buffers: WriteBuffer[] = [];
      groups.push({ storage, persistent: engine.persistent, buffers, definitions });
      for (const definition of definitions) {
        const store = openStore(definition, batchReader(storage.store(definition.name)), options.serdeFor, options.cache);
        stores.set(definition.name, store);
        buffers.push(store.buffer);
      }
    }
    await giveUpOutdated(groups, held?.outdated, options.logger);
  } catch (error) {
    for (const { storage } of groups) await storage.close();
    throw error;
  }
  return { groups, stores };
}

/** Throws a ConfigError for a name that is no engine's. */
export function engineNamed(name: string, { engines }: Pick<StoreGroupOptions, 'engines'>): StoreEngine {
  const engine = engines.get(name);
  if (engine) return engine;
  throw new ConfigError('store/unknown-engine', `there is no store engine ${name}`, { fix: `use one of ${[...engines.keys()].join(', ')}` });
}
