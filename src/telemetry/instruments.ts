import type { Labels } from '../core/metrics.js';

/**
 * All series of one metric. Counters and gauges are plain numbers that a scrape reads, so that adding to one
 * costs nothing worth measuring.
 */
export class Series<Instrument> {
  private readonly byLabels = new Map<string, { labels: Labels; instrument: Instrument }>();

  constructor(
    private readonly labelNames: readonly string[],
    private readonly create: (labels: Labels) => Instrument,
  ) {}

  get size(): number {
    return this.byLabels.size;
  }

  has(labels: Labels): boolean {
    return this.byLabels.has(this.keyOf(labels));
  }

  /** The series with these labels, made when first asked for. */
  of(labels: Labels): Instrument {
    const key = this.keyOf(labels);
    let found = this.byLabels.get(key);
    if (found === undefined) {
      const own = { ...labels };
      found = { labels: own, instrument: this.create(own) };
      this.byLabels.set(key, found);
    }
    return found.instrument;
  }

  /** Whether there was one. */
  remove(labels: Labels): boolean {
    return this.byLabels.delete(this.keyOf(labels));
  }

  [Symbol.iterator](): IterableIterator<{ labels: Labels; instrument: Instrument }> {
    return this.byLabels.values();
  }

  private keyOf(labels: Labels): string {
    return this.labelNames.map((name) => labels[name]).join('\u0000');
  }
}

/** A number that a counter adds to or a gauge sets. */
export class Cell {
  value = 0;

  add(amount = 1): void {
    if (!(amount >= 0 && amount < Infinity)) throw new RangeError(`a counter grows by finite amounts, got ${amount}`);
    this.value += amount;
  }

  set(value: number): void {
    this.value = value;
  }
}
