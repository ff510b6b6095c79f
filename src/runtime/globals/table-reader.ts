import { bytesOfLatin1, latin1Of } from '../../core/latin1.js';
import type { ByteRange, GlobalTableDefinition, StoreIterator } from '../../core/store.js';
import type { PartitionOffset } from '../../core/transport.js';
import { bytesOfHeld } from '../buffer-entry.js';
import type { OpenScans } from '../open-scans.js';
import { scanRows } from '../stores/scan-rows.js';
import { loadingError } from './loading-error.js';
import type { TableStore } from './table-store.js';

/**
 * A global table for readers beside the tasks (S11): bytes as the topic has them. `get`, `range` and `positions` asked for in one
 * turn of the event loop belong together. While the table is loading, reads throw a RetriableError (`table/loading`).
 */
export interface GlobalTableReader {
  readonly definition: GlobalTableDefinition;
  readonly loading: boolean;
  /** The next offset of each partition of the topic: everything before it is in what reads see, nothing after it. */
  readonly positions: readonly PartitionOffset[];
  /** null when absent; the bytes are not to be changed. */
  get(key: Buffer): Buffer | null;
  /**
   * A snapshot, in the byte order of the keys; end it when it is not read to its end. It throws the same error when the table
   * has to be built anew meanwhile, rather than to end early.
   */
  range(range: ByteRange): StoreIterator<Buffer, Buffer>;
}

/** Where a table is read beside its tasks. */
export interface ReadTable {
  readonly definition: GlobalTableDefinition;
  /** Undefined while it is loading. */
  readonly open: TableStore | undefined;
  readonly outside: OpenScans;
}

export class TableReader implements GlobalTableReader {
  constructor(private readonly table: ReadTable) {}

  get definition(): GlobalTableDefinition {
    return this.table.definition;
  }

  get loading(): boolean {
    return this.table.open === undefined;
  }

  get positions(): readonly PartitionOffset[] {
    return this.opened().visible;
  }

  get(key: Buffer): Buffer | null {
    const held = this.opened().bytes.buffer.readCommitted(latin1Of(key));
    return typeof held === 'number' ? null : bytesOfHeld(held);
  }

  range({ gte, lte, lt, ...options }: ByteRange): StoreIterator<Buffer, Buffer> {
    const store = this.opened();
    const bounds = { gte: gte && latin1Of(gte), lte: lte && latin1Of(lte), lt: lt && latin1Of(lt) };
    const scan = scanRows<Buffer, Buffer>(
      { ...store.bytes, scans: this.table.outside, step: undefined },
      { ranges: [bounds], ...options, all: true, decode: (key, value) => [typeof key === 'string' ? bytesOfLatin1(key) : key, value] },
    );
    return new WholeScan(scan, () => {
      if (this.table.open !== store) throw loadingError(this.definition.name);
    });
  }

  private opened(): TableStore {
    const { open } = this.table;
    if (open === undefined) throw loadingError(this.definition.name);
    return open;
  }
}

/** A scan that does not end before its end. */
class WholeScan implements StoreIterator<Buffer, Buffer> {
  private done = false;

  constructor(
    private readonly scan: StoreIterator<Buffer, Buffer>,
    /** Throws when the scan was closed from elsewhere. */
    private readonly check: () => void,
  ) {}

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<[Buffer, Buffer]>> {
    if (this.done) return { done: true, value: undefined };
    const result = await this.scan.next();
    if (result.done) {
      this.done = true;
      this.check();
    }
    return result;
  }

  return(): Promise<IteratorResult<[Buffer, Buffer]>> {
    this.done = true;
    return this.scan.return();
  }
}
