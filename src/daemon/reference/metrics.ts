import { LABELS, METRIC_PREFIX, METRICS, type MetricSpec, USER_METRICS } from '../../telemetry/metric-table.js';
import { code, codes, page, table } from './markdown.js';

/** docs/metrics.md: every metric of the daemon's own, with its labels. */
export function metricsPage(): string {
  return page(
    'Metrics',
    [
      '`/metrics` answers in Prometheus’ text format, on the address of `--http`. Metrics of a pipeline have the further label `application`, its name.',
      'Label values come from the pipeline file and the cluster, never from records, so the number of series is bounded.',
      'A histogram `x` is exposed as `x_bucket`, `x_sum` and `x_count`. Beside these there are the usual `process_…` and `nodejs_…` metrics.',
      '`config/` holds alert rules and a Grafana board made of them.',
    ].join(' '),
    table(['metric', 'type', 'labels', 'meaning'], Object.entries(METRICS).map(metricRow)),
    '## Labels',
    table(
      ['label', 'values'],
      Object.entries(LABELS).map(([name, meaning]) => [code(name), meaning]),
    ),
    '## Metrics of plugins',
    [
      `A plugin makes metrics through ${code('context.metrics')}; their names begin with ${code(USER_METRICS.prefix)}, so Prometheus sees`,
      `${code(`${METRIC_PREFIX}${USER_METRICS.prefix}…`)}. A process takes at most ${USER_METRICS.maxMetrics} of them;`,
      `one more throws. Of each it keeps ${USER_METRICS.maxSeries} series; further label values are summed in one series whose labels read ${code('other')}.`,
    ].join(' '),
  );
}

function metricRow([name, { type, labels, help }]: [string, MetricSpec]): string[] {
  return [code(METRIC_PREFIX + name), type, codes(labels), help];
}
