import type { Clock } from '../../core/clock.js';
import { messageOf, RetriableError } from '../../core/errors.js';
import { fulfilledWithin } from '../../core/fulfilled-within.js';
import { NO_HEADERS } from '../../core/headers.js';
import type { Logger } from '../../core/logger.js';
import { OutputBatch } from '../../core/output-batch.js';
import type { Sink } from '../../core/transport.js';
import { Signal } from '../signal.js';
import { type Announcement, encodeAnnouncement } from './announcement.js';
import { RENEWED_EVERY_MS } from './instances.js';

/** So long a shutdown waits for the farewell: without it the others notice by the silence. */
const FAREWELL_MS = 2_000;

export interface AnnouncerOptions {
  readonly topic: string;
  readonly id: string;
  /** Of its own and without transactions: what is told here belongs to no commit. */
  readonly sink: Sink;
  /** What there is to tell now. */
  readonly announcement: () => Announcement;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The topic cannot be written at all. */
  readonly failed: (error: unknown) => void;
}

/** Tells the other instances what this one does: when that changes, and again every few seconds. */
export class Announcer {
  private readonly wake = new Signal();
  private changed = false;
  private stopping = false;
  private running: Promise<void> | undefined;

  constructor(private readonly options: AnnouncerOptions) {}

  start(): void {
    this.running = this.run();
  }

  /** There is something new to tell. */
  change(): void {
    this.changed = true;
    this.wake.notify();
  }

  /** Says that the instance leaves. Does not reject, and closes the sink. */
  async leave(): Promise<void> {
    this.stopping = true;
    this.wake.notify();
    const farewell = (async () => {
      await this.running;
      await this.tell(null);
    })();
    await fulfilledWithin(
      FAREWELL_MS,
      farewell.catch((error: unknown) => this.options.logger.debug({ err: messageOf(error) }, 'no farewell was told')),
    );
    await this.close();
  }

  /** Ends without a word. */
  async close(): Promise<void> {
    this.stopping = true;
    this.wake.notify();
    const { sink, logger } = this.options;
    await sink.close().catch((error: unknown) => logger.warn({ err: messageOf(error) }, 'closing failed'));
  }

  private async run(): Promise<void> {
    while (!this.stopping) {
      this.changed = false;
      try {
        await this.tell(encodeAnnouncement(this.options.announcement()));
      } catch (error) {
        if (!(error instanceof RetriableError)) return this.options.failed(error);
        this.options.logger.debug({ err: messageOf(error), code: error.code }, 'what this instance does could not be told; trying again');
      }
      if (!this.changed && !this.stopping) await this.wake.wait(RENEWED_EVERY_MS);
    }
  }

  private async tell(value: Buffer | null): Promise<void> {
    const { topic, id, sink, clock } = this.options;
    await sink.send(OutputBatch.of({ topic, partition: 0, key: Buffer.from(id), value, timestamp: clock.now(), headers: NO_HEADERS }));
    await sink.flush();
  }
}
