import { writeLatin1 } from '../core/latin1.js';

/** The first byte that sorts behind the 0 that ends a name. */

const AFTER_SEPARATOR = 1;

/** Longer keys are rare, and each length keeps a buffer. */
const LONGEST_LENT = 1024;

/** What the keys of one store begin with, in the database of its task: the store's name ‖ 0 (S14). */
export class KeyPrefix {
  readonly bytes: Buffer;
  /** By the length of the name. */
  private readonly lent: Buffer[] = [];

  constructor(store: string) {
    this.bytes = Buffer.from(`${store}\0`);
  }

  /** The first key after all of the store's. */
  get after(): Buffer {
    const bytes = Buffer.from(this.bytes);
    bytes[bytes.length - 1] = AFTER_SEPARATOR;
    return bytes;
  }

  keyOf(key: Buffer): Buffer {
    const bytes = this.room(key.length);
    bytes.set(key, this.bytes.length);
    return bytes;
  }

  /**
   * The key whose bytes are the characters of `name`, in a buffer that the next call may overwrite. A third faster than a
   * buffer of its own for each.
   */
  lend(name: string): Buffer {
    const { length } = name;
    let bytes = this.lent[length];
    if (bytes === undefined) {
      bytes = this.room(length);
      if (length <= LONGEST_LENT) this.lent[length] = bytes;
    }
    writeLatin1(name, bytes, this.bytes.length);
    return bytes;
  }

  private room(length: number): Buffer {
    const bytes = Buffer.allocUnsafe(this.bytes.length + length);
    bytes.set(this.bytes);
    return bytes;
  }
}
