import { bytesOfLatin1 } from '../../core/latin1.js';
import type { MaybePromise } from '../../core/maybe.js';
import type { Serde } from '../../core/serde.js';
import type { NamedWrite, StoreDefinition, StoreReader } from '../../core/store.js';
import { windowSegmentMs } from '../../core/store-layout.js';
import type { StateStore } from '../../core/store-types.js';
import type { WriteBuffer } from '../write-buffer.js';
import { approximateCount } from './approximate-count.js';
import { Expiry } from './expiry.js';
import { visitTimestamped } from './key-value-kind.js';
import { decodeObserved, encodeObserved, ObservedTime, TIME_ROW } from './observed-time.js';
import { Segments } from './segments.js';
import { StoreCodec } from './store-codec.js';
import type { ChangelogRecord, ChangeVisitor, OpenStore, RowsOfChangelog, Viewer } from './store-kind.js';
import { TIME_BYTES, wordOf } from './time-bytes.js';
import { timestampedSerde, withTime } from './timestamped-value.js';
import { WindowShelves } from './window-shelves.js';
import { WindowedRows } from './windowed-rows.js';

const WINDOW_SUFFIX = TIME_BYTES + 4;
const SESSION_SUFFIX = TIME_BYTES + TIME_BYTES;

/** Window and session stores: rows by segment of time, gone a segment at a time (S8). */
export class WindowedKind implements OpenStore {
  readonly changelogValue: Serde<unknown>;
  readonly codec: StoreCodec<any, any>;
  readonly rows: WindowedRows;
  /** Of a window store. */
  readonly shelves: WindowShelves;
  readonly time: ObservedTime;
  readonly rowsOfChangelog: RowsOfChangelog = { everyRecord: false, rows: (records, reader) => this.restored(records, reader) };
  private readonly retention: number;
  private readonly expiry: Expiry;

  constructor(
    readonly buffer: WriteBuffer,
    readonly reader: Required<StoreReader>,
    readonly definition: StoreDefinition,
    key: Serde<unknown>,
    value: Serde<unknown>,
    private readonly viewOf: (kind: WindowedKind, viewer: Viewer) => StateStore,
  ) {
    this.retention = definition.retentionMs ?? 0;
    this.changelogValue = value;
    this.codec = new StoreCodec(buffer.name, key, definition.timestamped ? timestampedSerde(value) : value);
    this.rows = new WindowedRows(new Segments(windowSegmentMs(this.retention)), definition.type === 'window' ? WINDOW_SUFFIX : SESSION_SUFFIX);
    this.expiry = new Expiry(this.rows.segments, this.retention);
    this.time = new ObservedTime(buffer);
    this.shelves = new WindowShelves(buffer, this.rows.segments);
  }

  view(viewer: Viewer): StateStore {
    return this.viewOf(this, viewer);
  }

  /** Least time that can be seen. */
  get visibleFrom(): number {
    return Math.max(this.time.now - this.retention + 1, 0);
  }

  /** Notes the time of a write; false when it comes too late. */
  admits(time: number): boolean {
    this.time.advance(time);
    if (time >= this.visibleFrom) return true;
    this.expiry.drop();
    return false;
  }

  /** Of the segments that can be seen. */
  approximateCount(): MaybePromise<number> {
    const [range] = this.rows.ofKeys(undefined, undefined, this.visibleFrom, this.time.now);
    return range === undefined ? 0 : approximateCount(this, range);
  }

  eachChange(visit: ChangeVisitor): void {
    const { timestamped } = this.definition;
    this.buffer.eachUncommitted((row, value) => {
      if (row === TIME_ROW) return;
      const key = row.slice(TIME_BYTES);
      if (timestamped) visitTimestamped(key, value as Buffer | null, visit);
      else visit(key, value);
    });
  }

  endBatch(): void {
    this.time.endBatch();
  }

  rolledBack(): void {
    this.time.reload();
  }

  aborted(): void {
    this.time.reload();
  }

  committed(): void {
    this.time.wasCommitted();
  }

  takeExpired(): { readonly gte: string; readonly lt: string } | undefined {
    return this.expiry.takeExpired(this.time.committed);
  }

  takeDropped(): number {
    return this.expiry.takeDropped();
  }

  private restored(records: readonly ChangelogRecord[], reader: StoreReader): NamedWrite[] {
    const { timestamped, retainDuplicates } = this.definition;
    let { time, sequence } = decodeObserved(reader.get(bytesOfLatin1(TIME_ROW)));
    const found: { readonly name: string; readonly time: number; readonly value: Buffer | null }[] = [];
    for (const { key, value, timestamp } of records) {
      const row = this.rows.rowOf(key);
      if (row === undefined) continue;
      time = Math.max(time, row.time);
      if (retainDuplicates) sequence = Math.max(sequence, wordOf(key, key.length - 4));
      found.push({ ...row, value: value !== null && timestamped ? withTime(value, Math.max(timestamp, 0)) : value });
    }
    const floor = this.expiry.floorAt(time);
    const writes: NamedWrite[] = found.filter((row) => row.time >= floor).map(({ name, value }) => ({ name, value }));
    writes.push({ name: TIME_ROW, value: encodeObserved({ time, sequence }) });
    return writes;
  }
}
