import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import * as prom from 'prom-client';
import { type Logger, silentLogger } from '../core/logger.js';
import type { Counter, Gauge, Histogram, Labels, Metrics } from '../core/metrics.js';
import { Cell, Series } from './instruments.js';
import { METRIC_PREFIX, METRICS, type MetricSpec, USER_METRICS } from './metric-table.js';

/** The label that `ofApplication` adds. */
const APPLICATION = 'application';
const NO_SCOPE: Labels = {};

const DELAY_QUANTILES = [0.5, 0.9, 0.99, 1];
/** Each monitor wakes the process this often: an idle daemon should sleep. */
const DELAY_RESOLUTION_MS = 100;
const DEFAULT_METRICS_RESOLUTION_MS = 1000;

/** A metric's declaration; a plugin's has labels of its own naming. */
type Spec = Omit<MetricSpec, 'labels'> & { readonly labels: readonly string[] };

type Family =
  | { readonly spec: Spec; readonly type: 'histogram'; readonly series: Series<Histogram>; readonly forget: (labels: Labels) => void }
  | { readonly spec: Spec; readonly type: 'counter' | 'gauge'; readonly series: Series<Cell> };

/**
 * The metrics of one process, written for Prometheus. Names and labels are those of metric-table.ts: any other
 * name throws, and so do labels that are not exactly the declared ones. Plugins may make up names with `user_`
 * in front; how many metrics and series they get is bounded, and what goes beyond is summed in one series
 * whose labels all read `other`.
 */
export class PrometheusMetrics implements Metrics {
  readonly contentType: string;
  private readonly registry = new prom.Registry();
  private readonly families = new Map<string, Family>();
  private readonly listeners: (() => void)[] = [];
  private readonly overflowing = new Set<string>();
  private readonly delay: IntervalHistogram = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS });

  constructor(
    options: { version: string },
    private readonly logger: Logger = silentLogger,
  ) {
    this.contentType = this.registry.contentType;
    prom.collectDefaultMetrics({ register: this.registry, eventLoopMonitoringPrecision: DEFAULT_METRICS_RESOLUTION_MS });
    for (const [name, spec] of Object.entries(METRICS)) this.families.set(name, this.register(name, spec));
    this.gauge('info', { version: options.version, node: process.versions.node }).set(1);
    this.delay.enable();
    this.onScrape(() => this.readEventLoopDelay());
  }

  counter(name: string, labels: Labels = {}): Counter {
    return this.cell(name, 'counter', labels, NO_SCOPE);
  }

  gauge(name: string, labels: Labels = {}): Gauge {
    return this.cell(name, 'gauge', labels, NO_SCOPE);
  }

  histogram(name: string, labels: Labels = {}): Histogram {
    return this.distribution(name, labels, NO_SCOPE);
  }

  remove(name: string, labels: Labels): void {
    const family = this.families.get(name);
    if (family?.series.remove(labels) && family.type === 'histogram') family.forget(labels);
  }

  /** The same metrics with the further label `application`, so that those of two in one process stay apart. */
  ofApplication(application: string): Metrics {
    const scope = { application };
    return {
      counter: (name, labels = {}) => this.cell(name, 'counter', labels, scope),
      gauge: (name, labels = {}) => this.cell(name, 'gauge', labels, scope),
      histogram: (name, labels = {}) => this.distribution(name, labels, scope),
      remove: (name, labels) => this.remove(name, { ...scope, ...labels }),
    };
  }

  /** Called before each exposition, to set what is cheaper to ask for than to keep up to date. */
  onScrape(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** All series in Prometheus' text format. */
  async expose(): Promise<string> {
    for (const listener of this.listeners) listener();
    return this.registry.metrics();
  }

  close(): void {
    this.delay.disable();
    this.registry.clear();
  }

  private cell(name: string, type: 'counter' | 'gauge', labels: Labels, scope: Labels): Cell {
    const family = this.family(name, type, labels);
    if (family.type === 'histogram' || family.type !== type) throw wrongType(name, family.type, type);
    return family.series.of(this.bounded(name, family, labels, scope));
  }

  private distribution(name: string, labels: Labels, scope: Labels): Histogram {
    const family = this.family(name, 'histogram', labels);
    if (family.type !== 'histogram') throw wrongType(name, family.type, 'histogram');
    return family.series.of(this.bounded(name, family, labels, scope));
  }

  private family(name: string, type: Family['type'], labels: Labels): Family {
    const given = Object.keys(labels);
    const family = this.families.get(name) ?? this.declareUserMetric(name, type, given);
    const declared = family.spec.labels;
    if (given.length !== declared.length || given.some((label) => !declared.includes(label))) {
      throw new TypeError(`metric "${name}" has the labels [${declared.join(', ')}], got [${given.join(', ')}]`);
    }
    return family;
  }

  private declareUserMetric(name: string, type: Family['type'], labels: readonly string[]): Family {
    if (!name.startsWith(USER_METRICS.prefix)) {
      throw new TypeError(`metric "${name}" is not declared; names of plugins' own metrics start with "${USER_METRICS.prefix}"`);
    }
    if (!/^[a-z][a-z0-9_]*$/.test(name)) throw new TypeError(`metric name "${name}" may hold a-z, 0-9 and _ only`);
    if (labels.includes(APPLICATION)) throw new TypeError(`metric "${name}" cannot have the label "${APPLICATION}": it has it already`);
    if (this.families.size - Object.keys(METRICS).length >= USER_METRICS.maxMetrics) {
      throw new RangeError(`metric "${name}" is one too many: plugins may declare ${USER_METRICS.maxMetrics}`);
    }
    const family = this.register(name, { type, help: 'A metric of a plugin.', labels });
    this.families.set(name, family);
    return family;
  }

  /** The labels of the series, or those of the overflow series when a plugin's metric has as many series as it may. */
  private bounded(name: string, { series }: Family, labels: Labels, scope: Labels): Labels {
    const wanted = { ...scope, ...labels };
    if (!name.startsWith(USER_METRICS.prefix) || series.size < USER_METRICS.maxSeries || series.has(wanted)) return wanted;
    if (!this.overflowing.has(name)) {
      this.overflowing.add(name);
      this.logger.warn({ metric: name, series: USER_METRICS.maxSeries }, 'a plugin metric has too many label values; further ones are summed as "other"');
    }
    return { ...scope, ...Object.fromEntries(Object.keys(labels).map((label) => [label, 'other'])) };
  }

  private register(name: string, spec: Spec): Family {
    const labelNames = [APPLICATION, ...spec.labels];
    const config = { name: METRIC_PREFIX + name, help: spec.help, labelNames, registers: [this.registry] };
    if (spec.type === 'histogram') {
      const histogram = new prom.Histogram({ ...config, ...(spec.buckets && { buckets: [...spec.buckets] }) });
      const series = new Series<Histogram>(labelNames, (labels) => ({ observe: (value) => histogram.observe(labels, value) }));
      return { spec, type: 'histogram', series, forget: (labels) => histogram.remove(labels) };
    }
    const series = new Series<Cell>(labelNames, () => new Cell());
    const Kind = spec.type === 'counter' ? prom.Counter : prom.Gauge;
    new Kind({
      ...config,
      collect() {
        this.reset();
        for (const { labels, instrument } of series) if (Number.isFinite(instrument.value)) this.inc(labels, instrument.value);
      },
    });
    return { spec, type: spec.type, series };
  }

  /** The monitor's timer counts its own interval in, which is taken off. */
  private readEventLoopDelay(): void {
    for (const quantile of DELAY_QUANTILES) {
      const seconds = this.delay.count === 0 ? 0 : Math.max(0, this.delay.percentile(quantile * 100) / 1e9 - DELAY_RESOLUTION_MS / 1e3);
      this.gauge('event_loop_delay_seconds', { quantile: String(quantile) }).set(seconds);
    }
    this.delay.reset();
  }
}

function wrongType(name: string, is: string, asked: string): TypeError {
  return new TypeError(`metric "${name}" is a ${is}, not a ${asked}`);
}
