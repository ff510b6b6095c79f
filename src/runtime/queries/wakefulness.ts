const LOOK_EVERY_MS = 1000;
/** The group takes a member that is silent for its session timeout, 6 s at the least, for dead. */
const FROZEN_MS = 5000;
/** So long it takes to hear from the group after that. */
const DOUBT_MS = 3000;

/**
 * Notices that the process stood still, stopped or swapped out: its tasks may have gone elsewhere meanwhile, and it may answer before
 * it hears of that.
 */
export class Wakefulness {
  private timer: NodeJS.Timeout | undefined;
  private last = Date.now();
  private doubtUntil = 0;

  start(): void {
    this.last = Date.now();
    this.timer = setInterval(() => this.look(), LOOK_EVERY_MS);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  /** False after it stood still, until the group must have told what became of its tasks. */
  get sure(): boolean {
    const now = Date.now();
    if (this.timer !== undefined && now - this.last > FROZEN_MS) this.look();
    return now >= this.doubtUntil;
  }

  private look(): void {
    const now = Date.now();
    if (now - this.last > FROZEN_MS) this.doubtUntil = now + DOUBT_MS;
    this.last = now;
  }
}
