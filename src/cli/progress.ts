import type { Clock } from '../core/clock.js';
import { systemClock } from '../core/clock.js';
import type { Output } from './shell.js';

const ERASE_LINE = '\r\u001b[2K';
const REDRAW_MS = 100;
const PLAIN_LINE_MS = 5000;

/**
 * Shows how far long work has come: on a terminal one line that is rewritten at most ten times a second, elsewhere
 * a plain line now and then. Write nothing else to the same output between the first `update` and `end`.
 */
export class Progress {
  private readonly startedAt: number;
  private shownAt = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly output: Output,
    /** What is being done, such as `restoring counts`. */
    private readonly label: string,
    private readonly clock: Clock = systemClock,
  ) {
    this.startedAt = clock.now();
  }

  /** So many items are done, of `total` where that is known. */
  update(done: number, total?: number): void {
    const now = this.clock.now();
    if (now - this.shownAt < (this.output.isTTY ? REDRAW_MS : PLAIN_LINE_MS)) return;
    this.shownAt = now;
    this.show(this.describe(done, total, now), false);
  }

  /** The last line, which stays. */
  end(summary: string): void {
    this.show(`${this.label}: ${summary}`, true);
  }

  private show(text: string, last: boolean): void {
    if (!this.output.isTTY) this.output.write(`${text}\n`);
    else this.output.write(`${ERASE_LINE}${text.slice(0, (this.output.columns ?? 80) - 1)}${last ? '\n' : ''}`);
  }

  private describe(done: number, total: number | undefined, now: number): string {
    const seconds = (now - this.startedAt) / 1000;
    const rate = seconds > 0 ? done / seconds : 0;
    const speed = rate > 0 ? `, ${count(rate)}/s` : '';
    if (total === undefined || total <= 0) return `${this.label}: ${count(done)}${speed}`;
    const left = rate > 0 && done < total ? `, ${Math.ceil((total - done) / rate)} s left` : '';
    return `${this.label}: ${Math.floor((100 * done) / total)} %, ${count(done)} of ${count(total)}${speed}${left}`;
  }
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
