import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import type { Finding } from './verify/finding.js';
import { verifyDatabase } from './verify/verify-database.js';

export interface ScrubberOptions {
  readonly logger: Logger;
  /** A directory as it was added, with what is wrong in it: its task has to be closed and recovered. */
  readonly onFindings: (directory: string, findings: readonly Finding[]) => void;
  /** Bytes read a second on average. Default 1 MB. */
  readonly bytesPerSecond?: number | undefined;
  /** Time from the end of one check of a directory to the next, in milliseconds. Default an hour. */
  readonly pauseMs?: number | undefined;
}

const BYTES_PER_SECOND = 1e6;
const PAUSE_MS = 3_600_000;

/** Checks the files of open tasks against their checksums, one after the other and slowly, as long as they are open (E4). */
export class Scrubber {
  /** Directory → when its next check is due, by `performance.now`. */
  private readonly due = new Map<string, number>();
  private current: { readonly directory: string; readonly stop: AbortController; readonly done: Promise<void> } | undefined;
  private wake = new AbortController();
  private running: Promise<void> | undefined;
  private closed = false;

  constructor(private readonly options: ScrubberOptions) {}

  /** From now on the task in `directory` is checked every so often. */
  add(directory: string): void {
    if (this.closed) return;
    this.due.set(directory, performance.now() + this.pauseMs);
    this.wake.abort();
    this.running ??= this.run();
  }

  /** Resolves when nothing in the directory is read any more: it may then be moved. */
  async remove(directory: string): Promise<void> {
    this.due.delete(directory);
    if (this.current?.directory !== directory) return;
    this.current.stop.abort();
    await this.current.done;
  }

  async close(): Promise<void> {
    this.closed = true;
    this.due.clear();
    this.wake.abort();
    this.current?.stop.abort();
    await this.running;
  }

  private get pauseMs(): number {
    return this.options.pauseMs ?? PAUSE_MS;
  }

  private async run(): Promise<void> {
    while (!this.closed) {
      const [directory, at] = this.next();
      const wait = at - performance.now();
      if (directory !== undefined && wait <= 0) await this.scrub(directory);
      else await this.rest(wait);
    }
  }

  /** What is due first. */
  private next(): [string | undefined, number] {
    let first: string | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const [directory, at] of this.due) {
      if (at >= least) continue;
      first = directory;
      least = at;
    }
    return [first, least];
  }

  /** Until `ms` have passed or a directory is added. Keeps no process alive. */
  private async rest(ms: number): Promise<void> {
    const { signal } = this.wake;
    await sleep(Math.min(Math.max(ms, 0), PAUSE_MS), undefined, { signal, ref: false }).catch(() => {});
    if (signal.aborted) this.wake = new AbortController();
  }

  private async scrub(directory: string): Promise<void> {
    const stop = new AbortController();
    const done = this.verify(directory, stop.signal);
    this.current = { directory, stop, done };
    await done;
    this.current = undefined;
    if (this.due.has(directory)) this.due.set(directory, performance.now() + this.pauseMs);
  }

  private async verify(directory: string, signal: AbortSignal): Promise<void> {
    const { logger, onFindings, bytesPerSecond = BYTES_PER_SECOND } = this.options;
    try {
      const findings = await verifyDatabase(join(directory, 'db'), { bytesPerSecond, signal });
      if (findings.length > 0 && this.due.has(directory)) onFindings(directory, findings);
    } catch (error) {
      if (!signal.aborted) logger.warn({ directory, error: messageOf(error) }, 'the files of a state could not be checked');
    }
  }
}
