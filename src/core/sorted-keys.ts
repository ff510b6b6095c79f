/** Bounds of a scan; both inclusive unless said otherwise. */
export interface KeyRange {
  readonly gte?: string | undefined;
  readonly lte?: string | undefined;
  readonly lt?: string | undefined;
  readonly reverse?: boolean | undefined;
}

/** The tail is merged into the sorted part once it holds more than this share of it. */
const TAIL_SHARE = 1 / 8;
const LEAST_TAIL = 64;

/**
 * A set of strings that can be walked in code-unit order, which for latin1 strings is byte order. Adding is
 * a push; sorting is put off until a walk needs it, so keys that are never walked cost next to nothing.
 */
export class SortedKeys {
  private sorted: string[];
  /** Sorted too: few, so that those that come between two walks are cheap to put among them. */
  private tail: string[] = [];
  /** Since the last walk, as they came. */
  private recent: string[] = [];

  constructor(keys: Iterable<string>) {
    this.sorted = [...new Set(keys)].sort(compare);
  }

  /** A key that is there already is kept once. */
  add(key: string): void {
    this.recent.push(key);
  }

  /** Keys in the range, each once, in order. The walk ends with the set's next change. */
  *walk(range: KeyRange): Generator<string> {
    this.settle();
    const left = slice(this.sorted, range);
    const right = slice(this.tail, range);
    const before = range.reverse ? (a: string, b: string) => a > b : (a: string, b: string) => a < b;
    const step = range.reverse ? -1 : 1;
    let l = range.reverse ? left.end - 1 : left.start;
    let r = range.reverse ? right.end - 1 : right.start;
    let last: string | undefined;
    for (;;) {
      const fromLeft = l >= left.start && l < left.end ? this.sorted[l] : undefined;
      const fromRight = r >= right.start && r < right.end ? this.tail[r] : undefined;
      if (fromLeft === undefined && fromRight === undefined) return;
      const takeLeft = fromRight === undefined || (fromLeft !== undefined && before(fromLeft, fromRight));
      const key = (takeLeft ? fromLeft : fromRight) as string;
      if (takeLeft) l += step;
      else r += step;
      if (key !== last) yield key;
      last = key;
    }
  }

  /** How many keys there are in the range, of which none was added twice. */
  count(range: KeyRange): number {
    this.settle();
    const width = ({ start, end }: { start: number; end: number }): number => Math.max(end - start, 0);
    return width(slice(this.sorted, range)) + width(slice(this.tail, range));
  }

  /** Removes the keys of the range, and returns them. */
  take(range: KeyRange): string[] {
    this.settle();
    const left = slice(this.sorted, range);
    const taken = this.sorted.splice(left.start, Math.max(left.end - left.start, 0));
    const right = slice(this.tail, range);
    return taken.concat(this.tail.splice(right.start, Math.max(right.end - right.start, 0)));
  }

  /** Removes all keys but those. */
  retain(wanted: (key: string) => boolean): void {
    this.sorted = this.sorted.filter(wanted);
    this.tail = this.tail.filter(wanted);
    this.recent = this.recent.filter(wanted);
  }

  private settle(): void {
    if (this.recent.length === 0) return;
    this.tail = merge(this.tail, this.recent.sort(compare));
    this.recent = [];
    if (this.tail.length <= Math.max(LEAST_TAIL, this.sorted.length * TAIL_SHARE)) return;
    this.sorted = merge(this.sorted, this.tail);
    this.tail = [];
  }
}

/** For sorting alone, where the order of equal keys is all one: comparing them once is half of what sorting costs. */
function compare(a: string, b: string): number {
  return a < b ? -1 : 1;
}

function slice(keys: readonly string[], range: KeyRange): { start: number; end: number } {
  const start = range.gte === undefined ? 0 : search(keys, range.gte, false);
  let end = keys.length;
  if (range.lt !== undefined) end = Math.min(end, search(keys, range.lt, false));
  if (range.lte !== undefined) end = Math.min(end, search(keys, range.lte, true));
  return { start, end };
}

/** The index of the first key from `low` on that is not below `bound`, or with `past` the first above it. */
function search(keys: readonly string[], bound: string, past: boolean, low = 0): number {
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const key = keys[middle] as string;
    if (key < bound || (past && key === bound)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The places of the few are searched for: most of the many are moved without being compared. */
function merge(many: readonly string[], few: readonly string[]): string[] {
  const merged: string[] = [];
  let next = 0;
  for (const key of few) {
    const place = search(many, key, false, next);
    while (next < place) merged.push(many[next++] as string);
    if (many[next] !== key && merged[merged.length - 1] !== key) merged.push(key);
  }
  while (next < many.length) merged.push(many[next++] as string);
  return merged;
}
