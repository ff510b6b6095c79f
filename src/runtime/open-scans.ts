import { messageOf } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import { isPromise, type MaybePromise } from '../core/maybe.js';

interface Closable {
  close(): void;
}

/** Iterators of a task that have not been read to their end. What a batch leaves open is closed and reported (S1). */
export class OpenScans {
  private readonly open = new Map<Closable, { store: string; step: string | undefined }>();
  private readonly closing = new Set<Promise<void>>();

  constructor(private readonly logger: Logger) {}

  add(scan: Closable, store: string, step: string | undefined): void {
    this.open.set(scan, { store, step });
  }

  /** `closed`: when the engine has let go of its snapshot. */
  remove(scan: Closable, closed: MaybePromise<void>): void {
    this.open.delete(scan);
    if (!isPromise(closed)) return;
    const settled: Promise<void> = closed
      .catch((error: unknown) => this.logger.warn({ error: messageOf(error) }, 'an iterator did not close'))
      .finally(() => this.closing.delete(settled));
    this.closing.add(settled);
  }

  closeLeaked(): void {
    for (const [scan, { store, step }] of this.open) {
      const owner = step === undefined ? 'an' : `step ${step} left an`;
      this.logger.warn(
        { store, step },
        `${owner} iterator over store ${store}${step === undefined ? ' was left' : ''} open; it is closed at the end of the batch`,
      );
      scan.close();
    }
  }

  /** Closes all without a word and waits until the engines have let go of their snapshots. */
  async closeAll(): Promise<void> {
    for (const scan of this.open.keys()) scan.close();
    await Promise.all(this.closing);
  }
}
