import { RetriableError } from '../core/errors.js';

const INTERVAL_MS = 60_000;

/** Repeats a check, every minute unless told, beside the loop; a cluster out of reach is no finding. */
export class Watch {
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly check: () => Promise<void>,
    private readonly failed: (error: unknown) => void,
    private readonly intervalMs = INTERVAL_MS,
  ) {}

  start(): void {
    this.timer = setInterval(() => {
      this.check().catch((error: unknown) => {
        if (!(error instanceof RetriableError)) this.failed(error);
      });
    }, this.intervalMs);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }
}
