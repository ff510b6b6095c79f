import { bytesOfLatin1 } from '../../core/latin1.js';
import { andThen, isPromise, type MaybePromise } from '../../core/maybe.js';
import type { KeyRange } from '../../core/sorted-keys.js';
import type { StoreReader } from '../../core/store.js';
import type { WriteBuffer } from '../write-buffer.js';

/** Buffered keys that an engine is asked for; of more, these speak for all where asking takes time. */
const ASKED = 10_000;

/** About how many rows of a range there are: what the engine says, and what the buffer adds to it or takes away (S1). */
export function approximateCount(
  { buffer, reader }: { readonly buffer: WriteBuffer; readonly reader: Required<StoreReader> },
  range: Omit<KeyRange, 'reverse'>,
): MaybePromise<number> {
  const buffered = buffer.dirtyKeys(range);
  const kept = buffered.reduce((sum, { live }) => sum + (live ? 1 : 0), 0);
  const bytes = (key: string | undefined): Buffer | undefined => (key === undefined ? undefined : bytesOfLatin1(key));
  const stored = reader.count({ gte: bytes(range.gte), lte: bytes(range.lte), lt: bytes(range.lt) });
  const known = present(
    reader,
    buffered.map(({ key }) => key),
  );
  const total = ([count, there]: readonly [number, number]): number => Math.max(0, Math.round(count - there + kept));
  return isPromise(stored) || isPromise(known) ? Promise.all([stored, known]).then(total) : total([stored, known]);
}

/** About how many of the keys the engine holds; exactly where it answers at once. */
function present(reader: Required<StoreReader>, keys: readonly string[]): MaybePromise<number> {
  const every = Math.max(1, Math.ceil(keys.length / ASKED));
  const asked = every === 1 ? keys : keys.filter((_, i) => i % every === 0);
  const found = reader.getMany(asked.map(bytesOfLatin1));
  if (isPromise(found)) return found.then((values) => (holding(values) * keys.length) / Math.max(asked.length, 1));
  if (every === 1) return holding(found);
  return andThen(reader.getMany(keys.map(bytesOfLatin1)), holding);
}

function holding(values: readonly (Buffer | null)[]): number {
  return values.reduce((sum, value) => sum + (value === null ? 0 : 1), 0);
}
