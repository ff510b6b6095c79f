import { isPromise, type MaybePromise } from '../../core/maybe.js';
import type { BufferEntry, Held, Index } from '../buffer-entry.js';
import type { WriteBuffer } from '../write-buffer.js';

/**
 * Rows of a store whose names are a key between the same bytes. Those that the buffer holds are found by the key alone: to make
 * the name, and to hash it, costs more than all else that a read does.
 */
export class Shelf {
  private readonly entries: Index = new Map();
  private readonly direct: boolean;

  constructor(
    private readonly buffer: WriteBuffer,
    private readonly before: string,
    private readonly after = '',
    /** False where the bytes around the key hardly come again: nothing is remembered then. */
    readonly keeps = true,
  ) {
    this.direct = !buffer.asynchronous;
  }

  nameOf(key: string): string {
    return this.before + key + this.after;
  }

  read(key: string): Held {
    const entry = this.entries.get(key);
    if (entry !== undefined && this.direct) return this.buffer.readEntry(entry);
    const name = this.nameOf(key);
    const held = this.buffer.read(name);
    this.keep(key, name);
    return held;
  }

  write(key: string, value: Held): void {
    const entry = this.entries.get(key);
    if (entry !== undefined) {
      this.buffer.writeEntry(entry, value);
    } else {
      const name = this.nameOf(key);
      this.buffer.write(name, value);
      this.keep(key, name);
    }
  }

  /** The entry of a key that was read or written before. */
  held(key: string): BufferEntry | undefined {
    return this.entries.get(key);
  }

  keep(key: string, name: string): void {
    if (this.keeps) this.buffer.addTo(this.entries, key, name);
  }
}

/** Values in the keys' order, each from the shelf at its place; a promise when many have to be fetched. */
export function readShelved(buffer: WriteBuffer, keys: readonly string[], shelfAt: (place: number) => Shelf): MaybePromise<Held[]> {
  const values: Held[] = [];
  const missing: number[] = [];
  for (let i = 0; i < keys.length; i++) {
    const entry = shelfAt(i).held(keys[i] as string);
    if (entry === undefined) missing.push(i);
    values.push(entry === undefined ? null : buffer.readEntry(entry));
  }
  if (missing.length === 0) return values;
  const names = missing.map((i) => shelfAt(i).nameOf(keys[i] as string));
  const fill = (found: readonly Held[]): Held[] => {
    for (const [j, i] of missing.entries()) {
      values[i] = found[j] as Held;
      shelfAt(i).keep(keys[i] as string, names[j] as string);
    }
    return values;
  };
  const found = buffer.readMany(names);
  return isPromise(found) ? found.then(fill) : fill(found);
}
