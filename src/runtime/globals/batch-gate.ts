/**
 * Keeps global tables still while a batch runs (S6): what changes them waits for the batch under way to end, and while
 * the gate is closed, because a table is incomplete, none begins. Several may hold it closed at the same time.
 */
export class BatchGate {
  private inside = false;
  private closers = 0;
  private waiting: (() => void)[] = [];

  constructor(
    /** The gate was opened again. */
    private readonly opened: () => void,
  ) {}

  /** No batch, callback or processor may begin. */
  get closed(): boolean {
    return this.closers > 0;
  }

  /** A batch begins, or a callback that may read tables. */
  enter(): void {
    this.inside = true;
  }

  leave(): void {
    this.inside = false;
    for (const go of this.waiting.splice(0)) go();
  }

  close(): void {
    this.closers++;
  }

  open(): void {
    this.closers--;
    if (this.closers === 0) this.opened();
  }

  /** Does something synchronous at once, or as soon as the batch that is under way has ended. */
  between<T>(change: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const go = (): void => {
        try {
          resolve(change());
        } catch (error) {
          reject(error);
        }
      };
      if (this.inside) this.waiting.push(go);
      else go();
    });
  }

  /** Resolves when no batch is under way. After `close` none begins then. */
  quiet(): Promise<void> {
    return this.between(() => {});
  }
}
