import { bytesOfLatin1 } from '../../core/latin1.js';
import type { Serde } from '../../core/serde.js';
import type { NamedWrite, StoreDefinition, StoreReader } from '../../core/store.js';
import { versionSegmentMs } from '../../core/store-layout.js';
import { NOT_PUT, type StateStore } from '../../core/store-types.js';
import type { Held } from '../buffer-entry.js';
import type { OpenScans } from '../open-scans.js';
import type { WriteBuffer } from '../write-buffer.js';
import { Expiry } from './expiry.js';
import { listedBetween } from './listed-keys.js';
import { decodeObserved, encodeObserved, ObservedTime, TIME_ROW } from './observed-time.js';
import { LATEST, Segments } from './segments.js';
import { Shelf } from './shelf.js';
import { StoreCodec } from './store-codec.js';
import type { ChangelogRecord, ChangeVisitor, OpenStore, RowsOfChangelog, Viewer } from './store-kind.js';
import { bytesOfVersions, type Versions } from './version-entries.js';
import { VersionedLog } from './versioned-log.js';
import { VersionedRows } from './versioned-rows.js';

/** Versioned stores (S7). Each version is a record of the changelog: key, raw value, and its time as the record's. */
export class VersionedKind implements OpenStore {
  readonly changelogValue: Serde<unknown>;
  readonly codec: StoreCodec<any, any>;
  readonly rows: VersionedRows;
  readonly latest: Shelf;
  readonly time: ObservedTime;
  readonly rowsOfChangelog: RowsOfChangelog = { everyRecord: true, rows: (records, reader) => this.restored(records, reader) };
  private readonly log = new VersionedLog();
  private readonly segments: Segments;
  private readonly history: number;
  private readonly expiry: Expiry;
  private swept = 0;

  constructor(
    readonly buffer: WriteBuffer,
    readonly reader: Required<StoreReader>,
    { historyMs = 0 }: StoreDefinition,
    key: Serde<unknown>,
    value: Serde<unknown>,
    private readonly viewOf: (kind: VersionedKind, viewer: Viewer) => StateStore,
  ) {
    this.history = historyMs;
    this.changelogValue = value;
    this.codec = new StoreCodec(buffer.name, key, value);
    this.segments = new Segments(versionSegmentMs(historyMs));
    this.expiry = new Expiry(this.segments, historyMs);
    this.latest = new Shelf(buffer, LATEST);
    const read = (name: string): Held => buffer.read(name);
    const write = (name: string, value: Held): void => buffer.write(name, value);
    this.rows = new VersionedRows({ latest: this.latest, read, write }, this.segments);
    this.time = new ObservedTime(buffer);
  }

  view(viewer: Viewer): StateStore {
    return this.viewOf(this, viewer);
  }

  /** What is asked for before this has no answer, and what is put before it is dropped. */
  get historyFrom(): number {
    return this.time.now - this.history;
  }

  put(key: string, value: Buffer | null, time: number): number {
    if (time < this.historyFrom) {
      this.expiry.drop();
      return NOT_PUT;
    }
    this.time.advance(time);
    this.log.add(key, value, time);
    return this.rows.put(key, value, time);
  }

  fill(key: string, value: Buffer | null, timestamp: number): void {
    this.put(key, value, timestamp);
  }

  get waitingBytes(): number {
    return this.log.bytes;
  }

  eachChange(visit: ChangeVisitor): void {
    this.log.each(visit);
  }

  endBatch(): void {
    this.time.endBatch();
    this.log.endBatch();
  }

  rolledBack(): void {
    this.time.reload();
    this.log.rollbackBatch();
  }

  aborted(): void {
    this.time.reload();
    this.log.clear();
    this.swept = 0;
  }

  committed(): void {
    this.time.wasCommitted();
    this.log.clear();
  }

  takeExpired(): { readonly gte: string; readonly lt: string } | undefined {
    return this.expiry.takeExpired(this.time.committed);
  }

  takeDropped(): number {
    return this.expiry.takeDropped();
  }

  /** Forgets versions that stand with a latest one of long ago, and keys that were deleted before any late write could still come. */
  async sweep(scans: OpenScans): Promise<boolean> {
    const floor = this.expiry.floorAt(this.time.now);
    if (floor <= this.swept) return false;
    const { listed, all } = await listedBetween(this, scans, this.segments.listPrefixOf(0), this.segments.listPrefixOf(floor));
    const latest = await this.buffer.readMany(listed.map(({ key }) => LATEST + key));
    for (const [i, { row, key }] of listed.entries()) {
      this.rows.trim(key, latest[i] as Versions | null, floor);
      this.buffer.write(row, null);
    }
    if (all) this.swept = floor;
    return listed.length > 0;
  }

  /** Records that were too late when they came are left out, as they were then (S7). */
  private restored(records: readonly ChangelogRecord[], reader: StoreReader): NamedWrite[] {
    const changed = new Map<string, Versions | null>();
    const read = (name: string): Held => (changed.has(name) ? (changed.get(name) as Versions | null) : (reader.get(bytesOfLatin1(name)) ?? null));
    const write = (name: string, value: Versions | null): void => void changed.set(name, value);
    const latest = { read: (key: string) => read(LATEST + key), write: (key: string, value: Versions | null) => write(LATEST + key, value) };
    const rows = new VersionedRows({ latest, read, write }, this.segments);
    let { time } = decodeObserved(reader.get(bytesOfLatin1(TIME_ROW)));
    for (const { key, value, timestamp } of records) {
      const at = Math.max(timestamp, 0);
      if (at < time - this.history) continue;
      time = Math.max(time, at);
      rows.put(key, value, at);
    }
    changed.set(TIME_ROW, encodeObserved({ time, sequence: 0 }));
    return [...changed].map(([name, value]) => ({ name, value: value && bytesOfVersions(value) }));
  }
}
