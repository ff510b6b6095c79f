import { dirname, join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type KstreamdError, messageOf, StoreCorruptedError, StoreError } from '../core/errors.js';
import type { ByteIterator, ByteRange, KeySpan, NamedWrite, StoredPosition, StoreReader, StoreWrites, TaskStorage, TaskStoreEngine } from '../core/store.js';
import { partitionKey } from '../core/transport.js';
import { countKeys } from './count-keys.js';
import { diskError } from './disk-error.js';
import { KeyPrefix } from './key-prefix.js';
import { LevelFiles } from './level-files.js';
import { type Database, isDamage, type LevelOptions, openDatabase, REPAIR } from './open-database.js';
import { AFTER_POSITIONS, POSITION_PREFIX, positionsIn } from './positions.js';

/**
 * LevelDB: one database per task in `<task directory>/db`, its stores as key prefixes (S14). Keys are the store's name ‖
 * 0 ‖ the key's bytes. Keys that begin with 0 belong to the task itself: its input positions.
 */
export function levelEngine(options: LevelOptions = {}): TaskStoreEngine {
  return {
    persistent: true,
    openTask: async ({ directory }) => new LevelStorage(await openDatabase(join(directory, 'db'), options), options),
  };
}

/** Writes that are put into a batch at once: other work waits no longer than these take. */
const AT_ONCE = 2000;

type Batch = ReturnType<Database['batch']>;

class LevelStorage implements TaskStorage {
  readonly files: LevelFiles;
  private readonly prefixes = new Map<string, KeyPrefix>();
  /** Why nothing may be written any more. */
  private failed: KstreamdError | undefined;

  constructor(
    private readonly db: Database,
    options: LevelOptions,
  ) {
    this.files = new LevelFiles(db, options);
  }

  store(name: string): StoreReader {
    return new LevelStore(this.db, this.prefixOf(name));
  }

  /**
   * A write that fails is the last one: LevelDB may have left a part of it in its log and would append behind that, and what
   * stands behind a torn record is lost when the log is read again. The same holds for `clear`.
   */
  apply(changes: readonly StoreWrites[], positions: readonly StoredPosition[]): Promise<void> {
    return this.write(async () => {
      const batch = this.db.batch();
      for (const { store, writes } of changes) {
        for (let from = 0; from < writes.length; from += AT_ONCE) {
          if (from > 0) await nextTurn();
          this.addTo(batch, this.prefixOf(store), writes, from);
        }
      }
      addPositions(batch, positions);
      await batch.write();
    });
  }

  deleteRange(store: string, gte: Buffer, lt: Buffer): Promise<void> {
    const prefix = this.prefixOf(store);
    const [from, to] = [prefix.keyOf(gte), prefix.keyOf(lt)];
    // What is deleted stays in the files until a compaction comes by, and where keys begin with times none does for long.
    return this.write(() => this.db.clear({ gte: from, lt: to }).then(() => this.db.compactRange(from, to)));
  }

  positions(): Promise<readonly StoredPosition[]> {
    return positionsIn(this.db);
  }

  /** The positions go first: what a crash leaves then claims nothing. */
  async clear(): Promise<void> {
    await this.write(() => this.db.clear({ lt: Buffer.from(AFTER_POSITIONS) }));
    await this.write(() => this.db.clear());
  }

  async close(): Promise<void> {
    await this.files.close();
    await this.db.close();
  }

  private addTo(batch: Batch, prefix: KeyPrefix, writes: readonly NamedWrite[], from: number): void {
    const to = Math.min(from + AT_ONCE, writes.length);
    for (let i = from; i < to; i++) {
      const { name, value } = writes[i] as NamedWrite;
      // The batch copies the bytes, so the key may be lent.
      const key = prefix.lend(name);
      if (value === null) batch.del(key);
      else batch.put(key, value);
    }
  }

  private async write(work: () => Promise<void>): Promise<void> {
    if (this.failed) throw this.failed;
    try {
      await work();
    } catch (cause) {
      this.failed = failure('write', this.db, cause);
      throw this.failed;
    }
  }

  private prefixOf(store: string): KeyPrefix {
    let prefix = this.prefixes.get(store);
    if (!prefix) {
      prefix = new KeyPrefix(store);
      this.prefixes.set(store, prefix);
    }
    return prefix;
  }
}

function addPositions(batch: Batch, positions: readonly StoredPosition[]): void {
  for (const position of positions) {
    const { topic, partition, offset, time, topicId } = position;
    batch.put(Buffer.from(POSITION_PREFIX + partitionKey(position)), Buffer.from(JSON.stringify({ topic, partition, offset, time, topicId })));
  }
}

class LevelStore implements StoreReader {
  constructor(
    private readonly db: Database,
    private readonly prefix: KeyPrefix,
  ) {}

  get(key: Buffer): Buffer | null {
    try {
      return this.db.getSync(this.prefix.keyOf(key)) ?? null;
    } catch (cause) {
      throw failure('read', this.db, cause);
    }
  }

  async getMany(keys: readonly Buffer[]): Promise<(Buffer | null)[]> {
    try {
      const values = await this.db.getMany(keys.map((key) => this.prefix.keyOf(key)));
      return values.map((value) => value ?? null);
    } catch (cause) {
      throw failure('read', this.db, cause);
    }
  }

  scan(range: ByteRange): ByteIterator {
    return new LevelScan(this.db, this.prefix, range);
  }

  async count(range: KeySpan): Promise<number> {
    try {
      return await countKeys(this.db, range.gte ? this.prefix.keyOf(range.gte) : this.prefix.bytes, upperBound(this.prefix, range));
    } catch (cause) {
      throw failure('read', this.db, cause);
    }
  }
}

function upperBound(prefix: KeyPrefix, { lte, lt }: KeySpan): { lt: Buffer } | { lte: Buffer } {
  if (lt) return { lt: prefix.keyOf(lt) };
  return lte ? { lte: prefix.keyOf(lte) } : { lt: prefix.after };
}

const CHUNK = 1000;
/** Scans of up to so many entries leave the blocks they read in the cache, as single reads do; longer ones would only push those out. */
const SHORT = 100;
const CHUNK_BYTES = 256 * 1024;

class LevelScan implements ByteIterator {
  private readonly iterator;

  constructor(
    private readonly db: Database,
    private readonly prefix: KeyPrefix,
    { gte, lte, lt, reverse = false, limit = -1 }: ByteRange,
  ) {
    const upper = upperBound(prefix, { lte, lt });
    // LevelDB takes its snapshot here, not at the first read.
    const fillCache = limit >= 0 && limit <= SHORT;
    this.iterator = db.iterator({ gte: gte ? prefix.keyOf(gte) : prefix.bytes, ...upper, reverse, limit, fillCache, highWaterMarkBytes: CHUNK_BYTES });
  }

  async next(wanted = CHUNK): Promise<[Buffer, Buffer][]> {
    try {
      const entries = await this.iterator.nextv(Math.min(wanted, CHUNK));
      return entries.map(([key, value]) => [key.subarray(this.prefix.bytes.length), value]);
    } catch (cause) {
      throw failure('read', this.db, cause);
    }
  }

  close(): Promise<void> {
    return this.iterator.close();
  }
}

function failure(what: 'read' | 'write', db: Database, cause: unknown): KstreamdError {
  const message = `cannot ${what} the store in ${db.location}`;
  if (isDamage(cause)) return new StoreCorruptedError(dirname(db.location), `${message}: ${messageOf(cause)}`, { cause, fix: REPAIR });
  if (what === 'write')
    return diskError(message, db.location, cause) ?? new StoreError('store/write', `${message}: ${messageOf(cause)}`, { cause, fix: 'check the disk' });
  return new StoreError('store/read', `${message}: ${messageOf(cause)}`, { cause });
}
