import type { ChangeVisitor } from './store-kind.js';

/** Beside its key and value a change in memory needs about so many bytes. */
const OVERHEAD = 80;

interface Change {
  readonly key: string;
  readonly value: Buffer | null;
  readonly time: number;
}

/** What was put since the last commit, in order: each version is a record of the changelog of its own (S7). */
export class VersionedLog {
  private changes: Change[] = [];
  private ended = 0;
  private held = 0;

  get bytes(): number {
    return this.held;
  }

  add(key: string, value: Buffer | null, time: number): void {
    const change = { key, value, time };
    this.changes.push(change);
    this.held += sizeOf(change);
  }

  each(visit: ChangeVisitor): void {
    for (const { key, value, time } of this.changes) visit(key, value, time);
  }

  endBatch(): void {
    this.ended = this.changes.length;
  }

  /** Drops what the batch put. */
  rollbackBatch(): void {
    for (const change of this.changes.splice(this.ended)) this.held -= sizeOf(change);
  }

  clear(): void {
    this.changes = [];
    this.ended = 0;
    this.held = 0;
  }
}

function sizeOf({ key, value }: Change): number {
  return OVERHEAD + key.length + (value?.length ?? 0);
}
