import { bytesOfLatin1, latin1Of } from '../../core/latin1.js';
import type { OpenScans } from '../open-scans.js';
import { scanRows } from './scan-rows.js';
import type { OpenStore } from './store-kind.js';
import { TIME_BYTES, timeBytes } from './time-bytes.js';

/** Keys looked at for one commit; what is left waits for the next. */
const AT_ONCE = 10_000;

/** Rows that name a key under the segment in which something about it becomes due. */
export interface Listed {
  readonly row: string;
  readonly key: string;
}

/** The rows between two prefixes of segments, first segments first; at most as many as one commit takes. */
export async function listedBetween(
  store: OpenStore,
  scans: OpenScans,
  from: string,
  to: string,
): Promise<{ readonly listed: readonly Listed[]; readonly all: boolean }> {
  const listed: Listed[] = [];
  const scan = scanRows<string, Buffer>(
    { buffer: store.buffer, reader: store.reader, scans, step: undefined },
    { ranges: [{ gte: from, lt: to }], limit: AT_ONCE, all: true, decode: (row, value) => [typeof row === 'string' ? row : latin1Of(row), value] },
  );
  for await (const [row] of scan) listed.push({ row, key: row.slice(TIME_BYTES) });
  return { listed, all: listed.length < AT_ONCE };
}

export const FIRST_SEGMENT = timeBytes(0);
export const EMPTY_ROW = bytesOfLatin1('');
