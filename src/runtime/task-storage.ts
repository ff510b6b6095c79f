import { StoreError } from '../core/errors.js';
import { bytesOfLatin1 } from '../core/latin1.js';
import { inSequence, isPromise, type MaybePromise } from '../core/maybe.js';
import type {
  AsyncStoreBackend,
  AsyncStoreEngine,
  KeySpan,
  RestoredRecord,
  SingleStoreEngine,
  StoreBackend,
  StoredPosition,
  StoreEngine,
  StoreReader,
  StoreWrite,
  StoreWrites,
  TaskStorage,
} from '../core/store.js';
import { partitionKey } from '../core/transport.js';

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
    asynchronous: reader.asynchronous ?? false,
    get,
    getMany: reader.getMany ? (keys) => (reader.getMany as NonNullable<StoreReader['getMany']>)(keys) : (keys) => keys.map(get),
    scan: (range) => reader.scan(range),
    count: reader.count ? (range) => (reader.count as NonNullable<StoreReader['count']>)(range) : (range) => countScanned(reader, range),
  };
}

async function countScanned(reader: StoreReader, range: KeySpan): Promise<number> {
  const scan = reader.scan(range);
  try {
    let count = 0;
    for (let entries = await scan.next(); entries.length > 0; entries = await scan.next()) count += entries.length;
    return count;
  } finally {
    await scan.close();
  }
}

type Restorer = (records: readonly RestoredRecord[]) => MaybePromise<void>;

interface OpenBackend extends StoreReader {
  readonly restorer: Restorer | undefined;
  apply(writes: readonly StoreWrite[], positions: readonly StoredPosition[]): MaybePromise<void>;
  positions(): MaybePromise<readonly StoredPosition[]>;
  clear(): MaybePromise<void>;
  close(): MaybePromise<void>;
}

async function openBackend(engine: SingleStoreEngine | AsyncStoreEngine, store: string, directory: string): Promise<OpenBackend> {
  const backend = await engine.open({ store, directory });
  const apply = backend.apply ? backend.apply.bind(backend) : writeLoop(backend);
  if (!apply) throw await unfit(backend, `the engine of store ${store} has neither \`apply\` nor \`put\` and \`delete\``, 'give the backend one of them');
  // Without positions, what is left when a clear is interrupted claims nothing; with them it would.
  if (backend.positions && !backend.clear) {
    throw await unfit(backend, `the engine of store ${store} has \`positions\` but no \`clear\``, 'give the backend a `clear` that forgets them too');
  }
  return {
    ...(engine.asynchronous ? asyncReader(backend, store) : batchReader(synchronous(backend as StoreBackend, store))),
    restorer: restorerOf(backend),
    apply,
    positions: () => backend.positions?.() ?? [],
    clear: backend.clear ? backend.clear.bind(backend) : () => deleteAll(backend, apply),
    close: () => backend.close(),
  };
}

/** Refuses a promise where bytes belong: an engine that gives them has to say so. */
function synchronous(backend: StoreBackend, store: string): StoreReader {
  const { getMany, count } = backend;
  return {
    get: (key) => {
      const value = backend.get(key);
      if (isPromise(value as MaybePromise<Buffer | null>))
        throw asynchronousEngine(`the engine of store ${store} answers "get" with a promise`, 'declare "asynchronous: true" in the engine');
      return value;
    },
    ...(getMany && { getMany: (keys: readonly Buffer[]) => getMany.call(backend, keys) }),
    ...(count && { count: (range: KeySpan) => count.call(backend, range) }),
    scan: (range) => backend.scan(range),
  };
}

function asyncReader(backend: AsyncStoreBackend, store: string): Required<StoreReader> {
  const reader: StoreReader = {
    asynchronous: true,
    get: () => {
      throw asynchronousEngine(`store ${store} cannot be read at once, since its engine answers with promises`, 'await getBatch([key])');
    },
    getMany: (keys) => (backend.getMany ? backend.getMany(keys) : Promise.all(keys.map((key) => backend.get(key)))),
    scan: (range) => backend.scan(range),
  };
  return batchReader(backend.count ? { ...reader, count: (range) => (backend.count as NonNullable<StoreReader['count']>)(range) } : reader);
}

function asynchronousEngine(message: string, fix: string): StoreError {
  return new StoreError('store/asynchronous', message, { fix });
}

function restorerOf(backend: StoreBackend | AsyncStoreBackend): Restorer | undefined {
  if (backend.restoreBatch) return backend.restoreBatch.bind(backend);
  const restore = backend.restore?.bind(backend);
  if (restore === undefined) return undefined;
  return (records) =>
    inSequence(records.length, (i) => {
      const { key, value, timestamp } = records[i] as RestoredRecord;
      return restore(key, value, timestamp);
    });
}

async function unfit(backend: StoreBackend | AsyncStoreBackend, message: string, fix: string): Promise<StoreError> {
  await backend.close();
  return new StoreError('store/engine', message, { fix: `${fix} (StoreBackend)` });
}

/** For a backend without `clear` (B7). The scan is a snapshot, so it goes on beside the deletes. */
async function deleteAll(backend: StoreBackend | AsyncStoreBackend, apply: OpenBackend['apply']): Promise<void> {
  const scan = backend.scan({});
  try {
    for (let entries = await scan.next(); entries.length > 0; entries = await scan.next()) {
      await apply(
        entries.map(([key]) => ({ key, value: null })),
        [],
      );
    }
  } finally {
    await scan.close();
  }
}

function writeLoop(backend: StoreBackend | AsyncStoreBackend): OpenBackend['apply'] | undefined {
  if (!backend.put || !backend.delete) return undefined;
  const put: NonNullable<AsyncStoreBackend['put']> = backend.put.bind(backend);
  const remove: NonNullable<AsyncStoreBackend['delete']> = backend.delete.bind(backend);
  return (writes) =>
    inSequence(writes.length, (i) => {
      const { key, value } = writes[i] as StoreWrite;
      return value === null ? remove(key) : put(key, value);
    });
}

/** Stores of an engine that keeps each for itself: a write covers one store, so they may stand apart after a crash. */
class SeparateStores implements TaskStorage {
  constructor(private readonly backends: ReadonlyMap<string, OpenBackend>) {}

  store(name: string): StoreReader {
    return this.backend(name);
  }

  apply(changes: readonly StoreWrites[], positions: readonly StoredPosition[]): MaybePromise<void> {
    const writesOf = new Map(changes.map(({ store, writes }) => [store, writes]));
    const backends = [...this.backends];
    return inSequence(backends.length, (i) => {
      const [store, backend] = backends[i] as [string, OpenBackend];
      const writes = (writesOf.get(store) ?? []).map(({ name, value }): StoreWrite => ({ key: bytesOfLatin1(name), value }));
      return backend.apply(writes, positions);
    });
  }

  positions(): Promise<readonly StoredPosition[]> {
    return lowestPositions([...this.backends.values()]);
  }

  positionsOf(store: string): MaybePromise<readonly StoredPosition[]> {
    return this.backend(store).positions();
  }

  clear(): MaybePromise<void> {
    const backends = [...this.backends.values()];
    return inSequence(backends.length, (i) => (backends[i] as OpenBackend).clear());
  }

  restorer(store: string): Restorer | undefined {
    return this.backend(store).restorer;
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

/** The least position of each partition, with the time and topic id that were stored with it: from there on no store misses a record. */
export async function lowestPositions(keepers: readonly { positions(): MaybePromise<readonly StoredPosition[]> }[]): Promise<StoredPosition[]> {
  const lowest = new Map<string, StoredPosition>();
  for (const keeper of keepers) {
    for (const position of await keeper.positions()) {
      const key = partitionKey(position);
      const known = lowest.get(key);
      if (!known || position.offset < known.offset) lowest.set(key, position);
    }
  }
  return [...lowest.values()];
}
