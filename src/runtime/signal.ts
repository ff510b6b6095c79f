/** Wakes whoever waits; a notification that nobody waits for is lost, so look before waiting. */
export class Signal {
  private waiters: (() => void)[] = [];

  notify(): void {
    const { waiters } = this;
    if (waiters.length === 0) return;
    this.waiters = [];
    for (const wake of waiters) wake();
  }

  /** Resolves at the next notification, or after `ms` milliseconds. */
  wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.min(Math.max(ms, 0), 2 ** 31 - 1));
      this.waiters.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}
