import { join } from 'node:path';
import { messageOf, StoreError } from '../core/errors.js';
import type { ByteIterator, ByteRange, StoreReader, StoreWrites, TaskStorage, TaskStoreEngine } from '../core/store.js';
import { type PartitionOffset, partitionKey } from '../core/transport.js';
import { type Database, type LevelOptions, openDatabase } from './open-database.js';

/**
 * LevelDB: one database per task in `<task directory>/db`, its stores as key prefixes (S14). Keys are the store's name ‖
 * 0 ‖ the key's bytes. Keys that begin with 0 belong to the task itself: its input positions.
 */
export function levelEngine(options: LevelOptions = {}): TaskStoreEngine {
  return {
    persistent: true,
    openTask: async ({ directory }) => new LevelStorage(await openDatabase(join(directory, 'db'), options)),
  };
}

const SEPARATOR = 0;
const POSITION_PREFIX = '\0position\0';
const AFTER_POSITIONS = '\0position\x01';

class LevelStorage implements TaskStorage {
  constructor(private readonly db: Database) {}

  store(name: string): StoreReader {
    return new LevelStore(this.db, Buffer.from(`${name}\0`));
  }

  async apply(changes: readonly StoreWrites[], positions: readonly PartitionOffset[]): Promise<void> {
    const batch = this.db.batch();
    for (const { store, writes } of changes) {
      const prefix = Buffer.from(`${store}\0`);
      for (const { name, value } of writes) {
        const key = prefixed(prefix, name);
        if (value === null) batch.del(key);
        else batch.put(key, value);
      }
    }
    for (const position of positions) {
      const { topic, partition, offset } = position;
      batch.put(Buffer.from(POSITION_PREFIX + partitionKey(position)), Buffer.from(JSON.stringify({ topic, partition, offset })));
    }
    try {
      await batch.write();
    } catch (cause) {
      throw failure('write', this.db, cause);
    }
  }

  async positions(): Promise<readonly PartitionOffset[]> {
    const found = this.db.values({ gte: Buffer.from(POSITION_PREFIX), lt: Buffer.from(AFTER_POSITIONS) });
    return (await found.all()).map((value) => JSON.parse(value.toString()) as PartitionOffset);
  }

  close(): Promise<void> {
    return this.db.close();
  }
}

class LevelStore implements StoreReader {
  constructor(
    private readonly db: Database,
    private readonly prefix: Buffer,
  ) {}

  get(key: Buffer): Buffer | null {
    try {
      return this.db.getSync(joined(this.prefix, key)) ?? null;
    } catch (cause) {
      throw failure('read', this.db, cause);
    }
  }

  async getMany(keys: readonly Buffer[]): Promise<(Buffer | null)[]> {
    try {
      const values = await this.db.getMany(keys.map((key) => joined(this.prefix, key)));
      return values.map((value) => value ?? null);
    } catch (cause) {
      throw failure('read', this.db, cause);
    }
  }

  scan(range: ByteRange): ByteIterator {
    return new LevelScan(this.db, this.prefix, range);
  }
}

const CHUNK = 1000;
const CHUNK_BYTES = 256 * 1024;

class LevelScan implements ByteIterator {
  private readonly iterator;

  constructor(
    private readonly db: Database,
    private readonly prefix: Buffer,
    { gte, lte, lt, reverse = false, limit = -1 }: ByteRange,
  ) {
    const upper = lt ? { lt: joined(prefix, lt) } : lte ? { lte: joined(prefix, lte) } : { lt: after(prefix) };
    // LevelDB takes its snapshot here, not at the first read.
    this.iterator = db.iterator({ gte: gte ? joined(prefix, gte) : prefix, ...upper, reverse, limit, highWaterMarkBytes: CHUNK_BYTES });
  }

  async next(): Promise<[Buffer, Buffer][]> {
    try {
      const entries = await this.iterator.nextv(CHUNK);
      return entries.map(([key, value]) => [key.subarray(this.prefix.length), value]);
    } catch (cause) {
      throw failure('read', this.db, cause);
    }
  }

  close(): Promise<void> {
    return this.iterator.close();
  }
}

function joined(prefix: Buffer, key: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(prefix.length + key.length);
  bytes.set(prefix);
  bytes.set(key, prefix.length);
  return bytes;
}

function prefixed(prefix: Buffer, name: string): Buffer {
  const bytes = Buffer.allocUnsafe(prefix.length + name.length);
  bytes.set(prefix);
  bytes.write(name, prefix.length, 'latin1');
  return bytes;
}

/** The first key after all that begin with `prefix`. */
function after(prefix: Buffer): Buffer {
  const bytes = Buffer.from(prefix);
  bytes[bytes.length - 1] = SEPARATOR + 1;
  return bytes;
}

function failure(what: 'read' | 'write', db: Database, cause: unknown): StoreError {
  const fix = what === 'write' ? 'make room on the disk or give the daemon write access to the directory' : undefined;
  return new StoreError(`store/${what}`, `cannot ${what} the store in ${db.location}: ${messageOf(cause)}`, { cause, fix });
}
