import { StoreError } from '../core/errors.js';
import { bytesOfLatin1 } from '../core/latin1.js';
import { inSequence, type MaybePromise } from '../core/maybe.js';
import type { SingleStoreEngine, StoreBackend, StoreEngine, StoreReader, StoreWrite, StoreWrites, TaskStorage } from '../core/store.js';
import { type PartitionOffset, partitionKey } from '../core/transport.js';

/** Opens the stores that a task keeps in one engine; what the engine cannot do at once is done store by store (B7). */
export async function openTaskStorage(engine: StoreEngine, stores: readonly string[], directory: string): Promise<TaskStorage> {
  if ('openTask' in engine) return engine.openTask({ stores, directory });
  const opened = new Map<string, OpenBackend>();
  try {
    for (const store of stores) opened.set(store, await openBackend(engine, store, directory));
  } catch (error) {
    for (const backend of opened.values()) await backend.close();
    throw error;
  }
  return new SeparateStores(opened);
}

/** The reader with `getMany`, which for an engine without it is a loop (B7). */
export function batchReader(reader: StoreReader): Required<StoreReader> {
  const get = (key: Buffer): Buffer | null => reader.get(key) ?? null;
  return {
    get,
    getMany: reader.getMany ? (keys) => (reader.getMany as NonNullable<StoreReader['getMany']>)(keys) : (keys) => keys.map(get),
    scan: (range) => reader.scan(range),
  };
}

interface OpenBackend extends StoreReader {
  apply(writes: readonly StoreWrite[], positions: readonly PartitionOffset[]): MaybePromise<void>;
  positions(): MaybePromise<readonly PartitionOffset[]>;
  close(): MaybePromise<void>;
}

async function openBackend(engine: SingleStoreEngine, store: string, directory: string): Promise<OpenBackend> {
  const backend = await engine.open({ store, directory });
  const apply = backend.apply ? backend.apply.bind(backend) : writeLoop(backend);
  if (!apply) {
    await backend.close();
    throw new StoreError('store/engine', `the engine of store ${store} has neither \`apply\` nor \`put\` and \`delete\``, {
      fix: 'give the backend one of them (StoreBackend)',
    });
  }
  return { ...batchReader(backend), apply, positions: () => backend.positions?.() ?? [], close: () => backend.close() };
}

function writeLoop(backend: StoreBackend): OpenBackend['apply'] | undefined {
  if (!backend.put || !backend.delete) return undefined;
  const put = backend.put.bind(backend);
  const remove = backend.delete.bind(backend);
  return (writes) => {
    for (const { key, value } of writes) {
      if (value === null) remove(key);
      else put(key, value);
    }
  };
}

/** Stores of an engine that keeps each for itself: a write covers one store, so they may stand apart after a crash. */
class SeparateStores implements TaskStorage {
  constructor(private readonly backends: ReadonlyMap<string, OpenBackend>) {}

  store(name: string): StoreReader {
    return this.backend(name);
  }

  apply(changes: readonly StoreWrites[], positions: readonly PartitionOffset[]): MaybePromise<void> {
    const writesOf = new Map(changes.map(({ store, writes }) => [store, writes]));
    const backends = [...this.backends];
    return inSequence(backends.length, (i) => {
      const [store, backend] = backends[i] as [string, OpenBackend];
      const writes = (writesOf.get(store) ?? []).map(({ name, value }): StoreWrite => ({ key: bytesOfLatin1(name), value }));
      return backend.apply(writes, positions);
    });
  }

  positions(): Promise<readonly PartitionOffset[]> {
    return lowestPositions([...this.backends.values()]);
  }

  close(): MaybePromise<void> {
    const backends = [...this.backends.values()];
    return inSequence(backends.length, (i) => (backends[i] as OpenBackend).close());
  }

  private backend(name: string): OpenBackend {
    const backend = this.backends.get(name);
    if (!backend) throw new Error(`the task was not opened with a store named ${name}`);
    return backend;
  }
}

/** The least position of each partition: from there on no store misses a record. */
export async function lowestPositions(keepers: readonly { positions(): MaybePromise<readonly PartitionOffset[]> }[]): Promise<PartitionOffset[]> {
  const lowest = new Map<string, PartitionOffset>();
  for (const keeper of keepers) {
    for (const position of await keeper.positions()) {
      const key = partitionKey(position);
      const known = lowest.get(key);
      if (!known || position.offset < known.offset) lowest.set(key, position);
    }
  }
  return [...lowest.values()];
}
