/** A sum that only grows. */
export interface Counter {
  add(amount?: number): void;
}

/** A value that goes up and down. */
export interface Gauge {
  set(value: number): void;
}

/** A distribution; durations are observed in seconds, sizes in records or bytes. */
export interface Histogram {
  observe(value: number): void;
}

export type Labels = Readonly<Record<string, string>>;

/**
 * What the engine needs of a metrics registry. Look an instrument up once, when the topology is wired,
 * and keep it: a look-up hashes its labels. `name` comes without the `kstreamd_` prefix and is one of the
 * names that telemetry declares; user metrics of plugins start with `user_`.
 */
export interface Metrics {
  counter(name: string, labels?: Labels): Counter;
  gauge(name: string, labels?: Labels): Gauge;
  histogram(name: string, labels?: Labels): Histogram;
  /** Forgets the series with exactly these labels, as when a partition moves away. */
  remove(name: string, labels: Labels): void;
}

const ignore = { add: () => {}, set: () => {}, observe: () => {} };

export const noMetrics: Metrics = { counter: () => ignore, gauge: () => ignore, histogram: () => ignore, remove: () => {} };
