import { bytesOfLatin1 } from '../../core/latin1.js';
import type { Serde } from '../../core/serde.js';
import type { NamedWrite, StoreDefinition, StoreReader } from '../../core/store.js';
import { ttlBucketMs } from '../../core/store-layout.js';
import type { StateStore } from '../../core/store-types.js';
import type { OpenScans } from '../open-scans.js';
import type { WriteBuffer } from '../write-buffer.js';
import { visitTimestamped } from './key-value-kind.js';
import { EMPTY_ROW, FIRST_SEGMENT, listedBetween } from './listed-keys.js';
import { decodeObserved, encodeObserved, ObservedTime, TIME_ROW } from './observed-time.js';
import { LATEST, Segments } from './segments.js';
import { Shelf } from './shelf.js';
import { StoreCodec } from './store-codec.js';
import type { ChangelogRecord, ChangeVisitor, OpenStore, RowsOfChangelog, Viewer } from './store-kind.js';
import { readTime, timeBytes } from './time-bytes.js';
import { withTime } from './timestamped-value.js';

/**
 * A key-value store whose entries live for a time of events (S9). Rows hold the time of the entry before its value, under
 * LATEST; each key also stands under the span of time it was written in, so that what is over is found without a search.
 */
export class TtlKind implements OpenStore {
  readonly changelogValue: Serde<unknown>;
  readonly codec: StoreCodec<any, any>;
  readonly time: ObservedTime;
  readonly ttl: number;
  readonly latest: Shelf;
  readonly rowsOfChangelog: RowsOfChangelog = { everyRecord: false, rows: (records, reader) => this.restored(records, reader) };
  private readonly buckets: Segments;
  /** Entries of spans before this one are gone. */
  private swept = 0;

  constructor(
    readonly buffer: WriteBuffer,
    readonly reader: Required<StoreReader>,
    { ttlMs = 0 }: StoreDefinition,
    key: Serde<unknown>,
    value: Serde<unknown>,
    private readonly viewOf: (kind: TtlKind, viewer: Viewer) => StateStore,
  ) {
    this.ttl = ttlMs;
    this.changelogValue = value;
    this.codec = new StoreCodec(buffer.name, key, value);
    this.buckets = new Segments(ttlBucketMs(ttlMs));
    this.time = new ObservedTime(buffer);
    this.latest = new Shelf(buffer, LATEST);
  }

  view(viewer: Viewer): StateStore {
    return this.viewOf(this, viewer);
  }

  /** `key` as the changelog has it; null deletes. */
  write(key: string, value: Buffer | null, time: number): void {
    this.time.advance(time);
    this.latest.write(key, value && withTime(value, time));
    if (value !== null) this.buffer.write(this.buckets.prefixOf(time) + key, EMPTY_ROW);
  }

  eachChange(visit: ChangeVisitor): void {
    this.buffer.eachUncommitted((row, value) => {
      if (row.startsWith(LATEST)) visitTimestamped(row.slice(LATEST.length), value as Buffer | null, visit);
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
    this.swept = 0;
  }

  /** An entry of the last span to be swept may have been written anew since: then it stands under a later one. */
  async sweep(scans: OpenScans): Promise<boolean> {
    const last = this.time.now - this.ttl + 1;
    const floor = last <= 0 ? 0 : this.buckets.startOf(last);
    if (floor <= this.swept) return false;
    const { listed, all } = await listedBetween(this, scans, FIRST_SEGMENT, timeBytes(floor));
    const rows = await this.buffer.readMany(listed.map(({ key }) => LATEST + key));
    for (const [i, { row, key }] of listed.entries()) {
      const entry = rows[i] as Buffer | null;
      const time = entry === null ? undefined : readTime(entry, 0);
      if (time !== undefined && time < last) this.buffer.write(LATEST + key, null);
      // The file may have said another ttl before, and so other spans.
      else if (time !== undefined) this.buffer.write(this.buckets.prefixOf(time) + key, EMPTY_ROW);
      this.buffer.write(row, null);
    }
    if (all) this.swept = floor;
    return listed.length > 0;
  }

  private restored(records: readonly ChangelogRecord[], reader: StoreReader): NamedWrite[] {
    const writes: NamedWrite[] = [];
    let { time } = decodeObserved(reader.get(bytesOfLatin1(TIME_ROW)));
    for (const { key, value, timestamp } of records) {
      const at = Math.max(timestamp, 0);
      time = Math.max(time, at);
      writes.push({ name: LATEST + key, value: value && withTime(value, at) });
      if (value !== null) writes.push({ name: this.buckets.prefixOf(at) + key, value: EMPTY_ROW });
    }
    writes.push({ name: TIME_ROW, value: encodeObserved({ time, sequence: 0 }) });
    return writes;
  }
}
