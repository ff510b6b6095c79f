import type { JsonPart, ShownEntry } from './json-part.js';

export interface MergedParts {
  readonly entries: readonly ShownEntry[];
  /** The place of the first entry that was left out; undefined when none was. */
  readonly next: string | undefined;
}

/** Where one part is. */
interface Head {
  readonly part: JsonPart;
  at: number;
}

/**
 * Entries of all partitions in their order, at most `limit`. It ends where a partition has more than was taken of it: what follows
 * there may come before what others have.
 */
export function mergeParts(parts: readonly JsonPart[], limit: number, reverse: boolean): MergedParts {
  const heads: Head[] = parts.map((part) => ({ part, at: 0 }));
  const entries: ShownEntry[] = [];
  for (;;) {
    const first = foremost(heads, reverse);
    if (first === undefined) return { entries, next: undefined };
    const entry = first.part.entries[first.at];
    if (entry === undefined) return { entries, next: first.part.next };
    if (entries.length === limit) return { entries, next: entry.order };
    entries.push(entry.shown);
    first.at++;
  }
}

function foremost(heads: readonly Head[], reverse: boolean): Head | undefined {
  let first: Head | undefined;
  let order = '';
  for (const head of heads) {
    const candidate = orderAt(head);
    if (candidate === undefined || (first !== undefined && (reverse ? candidate <= order : candidate >= order))) continue;
    first = head;
    order = candidate;
  }
  return first;
}

function orderAt({ part, at }: Head): string | undefined {
  return part.entries[at]?.order ?? part.next;
}
