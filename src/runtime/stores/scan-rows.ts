import { bytesOfLatin1 } from '../../core/latin1.js';
import type { KeyRange } from '../../core/sorted-keys.js';
import type { ByteIterator, RangeOptions, StoreReader } from '../../core/store.js';
import type { OpenScans } from '../open-scans.js';
import { type ScanSource, StoreScan } from '../store-scan.js';
import type { WriteBuffer } from '../write-buffer.js';

/** Where a scan reads, and who answers for it when it is left open. */
export interface Scanned {
  readonly buffer: WriteBuffer;
  readonly reader: Required<StoreReader>;
  readonly scans: OpenScans;
  readonly step: string | undefined;
}

export interface RowScan<K, V> extends RangeOptions {
  /** Ascending and apart from each other; each is read in the scan's direction. */
  readonly ranges: readonly KeyRange[];
  /** undefined leaves the row out. */
  readonly decode: (key: string | Buffer, value: Buffer) => [K, V] | undefined;
  /** `decode` leaves no row out, so the engine need not give more than the limit. */
  readonly all?: boolean;
}

/** A snapshot of the rows in some ranges: buffered writes laid over what the engine holds (S1). */
export function scanRows<K, V>({ buffer, reader, scans, step }: Scanned, scan: RowScan<K, V>): StoreScan<K, V> {
  const { reverse = false, limit = Number.POSITIVE_INFINITY, all = false } = scan;
  const ranges = reverse ? [...scan.ranges].reverse() : scan.ranges;
  const most = all ? limit : Number.POSITIVE_INFINITY;
  const buffered =
    ranges.length === 1 ? buffer.dirtyEntries({ ...ranges[0], reverse }, most) : ranges.flatMap((range) => buffer.dirtyEntries({ ...range, reverse }, most));
  const stored = ranges.map(({ gte, lte, lt }) =>
    reader.scan({
      gte: bytes(gte),
      lte: bytes(lte),
      lt: bytes(lt),
      reverse,
      // Each deletion may hide one of the engine's; what a write hides, it stands for.
      ...(most === Number.POSITIVE_INFINITY ? {} : { limit: most + deletions(buffered) }),
    }),
  );
  const made: StoreScan<K, V> = new StoreScan<K, V>({
    buffered,
    stored: stored.length === 1 ? (stored[0] as ByteIterator) : oneAfterAnother(stored),
    reverse,
    limit,
    decode: scan.decode,
    onClose: (closed) => scans.remove(made, closed),
  });
  scans.add(made, buffer.name, step);
  return made;
}

function deletions(buffered: ScanSource<unknown, unknown>['buffered']): number {
  let count = 0;
  for (const [, value] of buffered) if (value === null) count++;
  return count;
}

/** Each was opened at once, so together they are a snapshot. */
function oneAfterAnother(parts: readonly ByteIterator[]): ByteIterator {
  let at = 0;
  return {
    async next(wanted) {
      for (; at < parts.length; at++) {
        const entries = await (parts[at] as ByteIterator).next(wanted);
        if (entries.length > 0) return entries;
      }
      return [];
    },
    async close() {
      for (const part of parts) await part.close();
    },
  };
}

function bytes(key: string | undefined): Buffer | undefined {
  return key === undefined ? undefined : bytesOfLatin1(key);
}

const LAST_BYTE = 0xff;

/** The first key after all that begin with `prefix`; undefined when there is none. */
export function afterPrefix(prefix: string): string | undefined {
  let end = prefix.length;
  while (end > 0 && prefix.charCodeAt(end - 1) === LAST_BYTE) end--;
  return end === 0 ? undefined : prefix.slice(0, end - 1) + String.fromCharCode(prefix.charCodeAt(end - 1) + 1);
}
