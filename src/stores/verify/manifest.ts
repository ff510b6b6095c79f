import { ByteCursor } from './byte-cursor.js';
import { Damage } from './finding.js';
import { readLog } from './log-format.js';
import type { PacedFile } from './paced-reader.js';

/** What a MANIFEST says the database consists of. */
export interface Version {
  /** Number → size in bytes. */
  readonly tables: ReadonlyMap<number, number>;
  /** The oldest log that is not in the tables yet; 0 in a database that was never opened to its end. */
  readonly log: number;
  /** A still older one; 0 for none. Only releases of long ago wrote one. */
  readonly previousLog: number;
}

const COMPARATOR = 'leveldb.BytewiseComparator';

/** The tags of version edits; 8 was never used. */
const TAG = { comparator: 1, log: 2, nextFile: 3, lastSequence: 4, compactPointer: 5, deletedFile: 6, newFile: 7, previousLog: 9 } as const;

/**
 * Reads a MANIFEST, checking every record. A torn end is left out, as LevelDB does: files are deleted only after
 * the record that says so is on the disk, so what the records before it say is still whole. Throws Damage.
 */
export async function readManifest(file: PacedFile): Promise<Version> {
  const edits = new VersionEdits();
  let parts: Buffer[] = [];
  await readLog(file, (part, end, offset) => {
    // The bytes are overwritten by the next read.
    parts.push(Buffer.from(part));
    if (!end) return;
    edits.apply(parts.length === 1 ? parts[0]! : Buffer.concat(parts), offset);
    parts = [];
  });
  return edits.version(file.size);
}

class VersionEdits {
  private readonly tables = new Map<number, number>();
  private readonly numbers = new Map<number, number>();

  apply(edit: Buffer, offset: number): void {
    const cursor = new ByteCursor(edit, offset);
    const added: [number, number][] = [];
    while (!cursor.done) {
      const tag = cursor.varint();
      switch (tag) {
        case TAG.comparator:
          if (cursor.slice().toString('latin1') !== COMPARATOR) throw new Damage(offset, `the keys are not ordered by ${COMPARATOR}`);
          break;
        case TAG.log:
        case TAG.previousLog:
        case TAG.nextFile:
        case TAG.lastSequence:
          this.numbers.set(tag, cursor.varint());
          break;
        case TAG.compactPointer:
          cursor.varint();
          cursor.slice();
          break;
        case TAG.deletedFile:
          cursor.varint();
          this.tables.delete(cursor.varint());
          break;
        case TAG.newFile:
          added.push(newFile(cursor));
          break;
        default:
          throw new Damage(offset, `a record has the unknown tag ${tag}`);
      }
    }
    // A table that changes its level is deleted and added by one edit.
    for (const [number, size] of added) this.tables.set(number, size);
  }

  version(end: number): Version {
    for (const [name, tag] of [
      ['next file', TAG.nextFile],
      ['log', TAG.log],
      ['last sequence', TAG.lastSequence],
    ] as const) {
      if (!this.numbers.has(tag)) throw new Damage(end, `no record says the ${name} number`);
    }
    return { tables: this.tables, log: this.numbers.get(TAG.log)!, previousLog: this.numbers.get(TAG.previousLog) ?? 0 };
  }
}

/** Number and size; level and the keys at both ends are passed over. */
function newFile(cursor: ByteCursor): [number, number] {
  cursor.varint();
  const file: [number, number] = [cursor.varint(), cursor.varint()];
  cursor.slice();
  cursor.slice();
  return file;
}
