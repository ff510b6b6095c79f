/** Of the main thread, in milliseconds: other work waits no longer for what is done in one go. */
const SLICE_MS = 4;
/** The same where records wait, and have no use for the main thread now. */
const GAP_SLICE_MS = 1;
/** Others took less than this since the last look: the main thread has nothing else to do. */
const NOTHING_MS = 0.25;
/** What was left unused is kept up to this. */
const MOST_CREDIT_MS = 20;
/** What was taken too much is remembered up to this: on a busy machine a turn may have stood still for most of its time. */
const MOST_DEBT_MS = 5;

export interface TurnsOptions {
  /** Whether records wait to be processed. */
  readonly busy: () => boolean;
  /** Of the main thread while they do, 0 to 1, besides what nobody uses; there is no bound while none waits. */
  readonly share: number;
  /** Milliseconds. */
  readonly now?: () => number;
  /** Milliseconds that the main thread had nothing to do, since any moment. */
  readonly idle?: () => number;
}

/** Turns in a row. */
interface Served {
  readonly began: number;
  /** Whether records waited then. */
  readonly busy: boolean;
}

/**
 * The order in which queries get the main thread (S11): first come, first served, and no more than a share of it while records wait to be
 * processed. What a turn costs is measured with all that follows from it before the next event.
 */
export class Turns {
  private waiting: (() => void)[] = [];
  private next = 0;
  private scheduled = false;
  private credit = 0;
  private creditedAt: number;
  private idleAt: number;
  /** When the last turn, or look for one, ended, while somebody still waits. */
  private settledAt = Number.NEGATIVE_INFINITY;
  private readonly now: () => number;
  private readonly idle: () => number;

  constructor(private readonly options: TurnsOptions) {
    this.now = options.now ?? (() => performance.now());
    this.idle = options.idle ?? (() => performance.eventLoopUtilization().idle);
    this.creditedAt = this.now();
    this.idleAt = this.idle();
  }

  /** Calls it when it is its turn; it must not throw. */
  run(work: () => void): void {
    this.waiting.push(work);
    this.schedule();
  }

  /** Resolves when it is the caller's turn. */
  turn(): Promise<void> {
    return new Promise((resolve) => this.run(resolve));
  }

  /** The second of the two comes right behind the first, its promises and ticks: no event can get in between. */
  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    let served: Served | undefined;
    setImmediate(() => {
      served = this.serve();
    });
    setImmediate(() => this.settle(served));
  }

  /** Undefined when it was no one's turn. */
  private serve(): Served | undefined {
    const began = this.now();
    const others = began - this.settledAt - this.giveCredit(began);
    const behind = this.options.busy();
    // Records that wait for something else than the main thread lose nothing, but what they wait for may come any moment.
    const busy = behind && others >= NOTHING_MS;
    const most = behind ? Math.max(Math.min(this.credit, SLICE_MS), busy ? 0 : GAP_SLICE_MS) : SLICE_MS;
    if (most <= 0) return undefined;
    do {
      const work = this.waiting[this.next++] as () => void;
      work();
    } while (this.next < this.waiting.length && this.now() - began < most);
    if (this.next < this.waiting.length) return { began, busy };
    this.waiting = [];
    this.next = 0;
    return { began, busy };
  }

  /** The share of what the main thread was used, and all that it was not; tells how long that was. */
  private giveCredit(now: number): number {
    const idle = this.idle();
    const unused = Math.min(idle - this.idleAt, now - this.creditedAt);
    const used = now - this.creditedAt - unused;
    this.credit = Math.min(this.credit + used * this.options.share + unused, MOST_CREDIT_MS);
    this.creditedAt = now;
    this.idleAt = idle;
    return unused;
  }

  /** Nobody is owed for what was done while nothing else was to do. */
  private settle(served: Served | undefined): void {
    if (served !== undefined) this.credit = Math.max(this.credit - (this.now() - served.began), served.busy ? -MOST_DEBT_MS : Math.min(this.credit, 0));
    this.scheduled = false;
    if (this.next < this.waiting.length) {
      this.settledAt = this.now();
      this.schedule();
    } else this.settledAt = Number.NEGATIVE_INFINITY;
  }
}
