import type { Clock } from '../../core/clock.js';
import { OffsetOutOfRangeError } from '../../core/errors.js';
import type { RawBatch } from '../../core/raw-batch.js';
import type { ChangelogReader, ChangelogTaker } from '../restore/changelog-reader.js';
import { decodeAnnouncement } from './announcement.js';
import type { Instances } from './instances.js';

export interface InstancesReaderOptions {
  readonly topic: string;
  /** Shared with restores and copies. */
  readonly reader: ChangelogReader;
  readonly instances: Instances;
  readonly clock: Clock;
  /** Something was heard. */
  readonly heard: () => void;
  /** The topic cannot be read any more. */
  readonly failed: (error: unknown) => void;
}

/** Reads what the instances tell, from the beginning on. */
export class InstancesReader implements ChangelogTaker {
  readonly full = false;
  /** What was there when reading began ends here. */
  private end = 0;
  private stopping = false;

  constructor(private readonly options: InstancesReaderOptions) {}

  /** Rejects as the reader does when the broker cannot be asked where the topic begins. */
  async start(): Promise<void> {
    const { topic, reader } = this.options;
    const { low, high } = await reader.watermarks({ topic, partition: 0 });
    this.end = high;
    if (!this.stopping) reader.add({ topic, partition: 0, offset: low }, this);
  }

  stop(): void {
    this.stopping = true;
    this.options.reader.remove(this);
  }

  take(raw: RawBatch): void {
    const now = this.options.clock.now();
    for (let i = 0; i < raw.length; i++) this.hear(raw, i, now);
    this.options.heard();
  }

  turn(): void {}

  failed(error: unknown): void {
    if (this.stopping) return;
    // Old entries were removed while it was read.
    if (error instanceof OffsetOutOfRangeError) this.start().catch((cause: unknown) => this.options.failed(cause));
    else this.options.failed(error);
  }

  private hear(raw: RawBatch, index: number, now: number): void {
    const key = raw.keyAt(index);
    if (key === null) return;
    const { instances } = this.options;
    const value = raw.valueAt(index);
    const old = raw.offsetAt(index) < this.end;
    if (value === null) {
      instances.leave(key.toString(), old ? Math.min(now, raw.timestampAt(index)) : now);
      return;
    }
    const announcement = decodeAnnouncement(value);
    if (announcement) instances.hear(key.toString(), announcement, old ? Math.min(now, announcement.time) : now);
  }
}
