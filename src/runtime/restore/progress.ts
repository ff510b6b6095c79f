import type { Clock } from '../../core/clock.js';

/** How far one store's restore is. */
export interface RestoreProgress {
  readonly store: string;
  readonly topic: string;
  readonly partition: number;
  /** The first offset of this restore, the next one, and the end, exclusive. */
  readonly from: number;
  readonly position: number;
  readonly end: number;
  /** Offsets between position and end: at most so many records. */
  readonly remaining: number;
  /** Restored since it began. */
  readonly records: number;
  /** Of their keys and values. */
  readonly bytes: number;
  readonly recordsPerSecond: number;
  /** Undefined until something was restored. */
  readonly secondsLeft: number | undefined;
}

/** Counts one store's restore; offsets, records and bytes are exact, rates are averages since it began. */
export class ProgressCounter {
  from = 0;
  position = 0;
  end = 0;
  records = 0;
  bytes = 0;
  private since = 0;

  constructor(
    private readonly store: string,
    private readonly topic: string,
    private readonly partition: number,
    private readonly clock: Clock,
  ) {}

  start(from: number, end: number): void {
    Object.assign(this, { from, position: from, end, records: 0, bytes: 0 });
    this.since = this.clock.now();
  }

  add(records: number, bytes: number, position: number): void {
    this.records += records;
    this.bytes += bytes;
    this.position = position;
  }

  get remaining(): number {
    return Math.max(0, this.end - this.position);
  }

  snapshot(): RestoreProgress {
    const { store, topic, partition, from, position, end, remaining, records, bytes } = this;
    const seconds = (this.clock.now() - this.since) / 1000;
    const recordsPerSecond = seconds > 0 ? records / seconds : 0;
    const passed = position - from;
    const secondsLeft = remaining === 0 ? 0 : passed > 0 ? (remaining * seconds) / passed : undefined;
    return { store, topic, partition, from, position, end, remaining, records, bytes, recordsPerSecond, secondsLeft };
  }
}
