import type { Serde } from '../../core/serde.js';
import type { NamedWrite, StoreReader } from '../../core/store.js';
import type { StateStore } from '../../core/store-types.js';
import { StoreView } from '../store-view.js';
import type { WriteBuffer } from '../write-buffer.js';
import { StoreCodec } from './store-codec.js';
import type { ChangelogRecord, ChangeVisitor, OpenStore, RowsOfChangelog, Viewer } from './store-kind.js';
import { readTime } from './time-bytes.js';
import { timestampedSerde, withoutTime, withTime } from './timestamped-value.js';

/** Rows are the changelog's records. */
export class KeyValueKind implements OpenStore {
  readonly changelogValue: Serde<unknown>;
  protected readonly codec: StoreCodec;

  constructor(
    readonly buffer: WriteBuffer,
    readonly reader: Required<StoreReader>,
    key: Serde<unknown>,
    value: Serde<unknown>,
    /** First byte of the rows that the changelog does not have. */
    private readonly unlogged?: string,
  ) {
    this.changelogValue = value;
    this.codec = new StoreCodec(buffer.name, key, value);
  }

  view({ scans, step }: Viewer): StateStore {
    return new StoreView(this, this.codec, scans, step);
  }

  fill(key: string, value: Buffer | null, _timestamp: number): void {
    this.buffer.write(key, value);
  }

  eachChange(visit: ChangeVisitor, atomic = false): void {
    const { unlogged } = this;
    const logged: ChangeVisitor = (key, value) => (unlogged !== undefined && key.startsWith(unlogged) ? undefined : visit(key, value));
    this.buffer.eachUncommitted(unlogged === undefined ? visit : logged, atomic);
  }
}

/** Rows hold the time before the value, the changelog's records have it as their own (S3, S7). */
export class TimestampedKind extends KeyValueKind {
  readonly rowsOfChangelog: RowsOfChangelog = { everyRecord: false, rows: timestampedRows };

  constructor(buffer: WriteBuffer, reader: Required<StoreReader>, key: Serde<unknown>, value: Serde<unknown>) {
    super(buffer, reader, key, timestampedSerde(value));
  }

  override fill(key: string, value: Buffer | null, timestamp: number): void {
    this.buffer.write(key, value && withTime(value, timestamp));
  }

  override eachChange(visit: ChangeVisitor, atomic = false): void {
    this.buffer.eachUncommitted((key, row) => visitTimestamped(key, row as Buffer | null, visit), atomic);
  }
}

export function visitTimestamped(key: string, row: Buffer | null, visit: ChangeVisitor): void {
  if (row === null) visit(key, null);
  else visit(key, withoutTime(row), readTime(row, 0));
}

function timestampedRows(records: readonly ChangelogRecord[]): NamedWrite[] {
  return records.map(({ key, value, timestamp }) => ({ name: key, value: value && withTime(value, Math.max(timestamp, 0)) }));
}
