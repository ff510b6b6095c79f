import { afterEach, describe, expect, test, vi } from 'vitest';
import { silentLogger } from '../../../src/core/logger.js';
import { METRICS, type MetricSpec, USER_METRICS } from '../../../src/telemetry/metric-table.js';
import { PrometheusMetrics } from '../../../src/telemetry/metrics.js';

const open: PrometheusMetrics[] = [];

function create(logger = silentLogger): PrometheusMetrics {
  const metrics = new PrometheusMetrics({ version: '1.2.3' }, logger);
  open.push(metrics);
  return metrics;
}

/** The value of one series as it is exposed; undefined when it is not. */
async function exposed(metrics: PrometheusMetrics, series: string): Promise<number | undefined> {
  const line = (await metrics.expose()).split('\n').find((one) => one.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

afterEach(() => {
  for (const metrics of open.splice(0)) metrics.close();
});

describe('the table', () => {
  const entries: [string, MetricSpec][] = Object.entries(METRICS);

  test.each(entries)('%s follows the conventions of Prometheus', (name, spec) => {
    expect(name).toMatch(/^[a-z]+(_[a-z]+)*$/);
    expect(name.endsWith('_total')).toBe(spec.type === 'counter');
    expect(spec.help).toMatch(/^[A-Z1].*\.$/);
    if (spec.type === 'histogram') {
      expect(name).toMatch(/_(seconds|bytes|records)$/);
      expect(spec.buckets).toEqual([...(spec.buckets ?? [])].sort((a, b) => a - b));
    } else {
      expect(spec.buckets).toBeUndefined();
    }
  });

  test('every name is exposed with its type and help', async () => {
    const text = await create().expose();
    for (const [name, spec] of entries) {
      expect(text).toContain(`# HELP kstreamd_${name} ${spec.help}\n# TYPE kstreamd_${name} ${spec.type}\n`);
    }
  });
});

describe('instruments', () => {
  test('counters sum per labels and keep the sum over scrapes', async () => {
    const metrics = create();
    const orders = metrics.counter('records_in_total', { topic: 'orders' });
    orders.add(5);
    orders.add();
    metrics.counter('records_in_total', { topic: 'orders' }).add(1);
    metrics.counter('records_in_total', { topic: 'other' }).add(2);
    expect(await exposed(metrics, 'kstreamd_records_in_total{topic="orders"}')).toBe(7);
    orders.add(3);
    expect(await exposed(metrics, 'kstreamd_records_in_total{topic="orders"}')).toBe(10);
    expect(await exposed(metrics, 'kstreamd_records_in_total{topic="other"}')).toBe(2);
  });

  test('a series is there at 0 from the look-up on', async () => {
    const metrics = create();
    metrics.counter('commits_total', { result: 'failed' });
    expect(await exposed(metrics, 'kstreamd_commits_total{result="failed"}')).toBe(0);
    metrics.gauge('tasks');
    expect(await exposed(metrics, 'kstreamd_tasks')).toBe(0);
  });

  test('gauges keep the last value, and one that is no number is left out', async () => {
    const metrics = create();
    const tasks = metrics.gauge('tasks');
    tasks.set(4);
    tasks.set(-2);
    expect(await exposed(metrics, 'kstreamd_tasks')).toBe(-2);
    tasks.set(Number.NaN);
    expect(await exposed(metrics, 'kstreamd_tasks')).not.toBeNaN();
  });

  test('histograms count into their buckets', async () => {
    const metrics = create();
    const sizes = metrics.histogram('batch_size_records', { topic: 't' });
    for (const size of [1, 100, 101]) sizes.observe(size);
    expect(await exposed(metrics, 'kstreamd_batch_size_records_bucket{le="100",topic="t"}')).toBe(2);
    expect(await exposed(metrics, 'kstreamd_batch_size_records_sum{topic="t"}')).toBe(202);
    expect(await exposed(metrics, 'kstreamd_batch_size_records_count{topic="t"}')).toBe(3);
  });

  test('remove forgets the one series', async () => {
    const metrics = create();
    metrics.gauge('lag_records', { topic: 't', partition: '0' }).set(1);
    metrics.gauge('lag_records', { topic: 't', partition: '1' }).set(2);
    metrics.histogram('process_duration_seconds', { topic: 't' }).observe(1);
    metrics.remove('lag_records', { topic: 't', partition: '0' });
    metrics.remove('process_duration_seconds', { topic: 't' });
    const text = await metrics.expose();
    expect(text).not.toContain('partition="0"');
    expect(text).toContain('kstreamd_lag_records{topic="t",partition="1"} 2');
    expect(text).not.toContain('kstreamd_process_duration_seconds_count{');
  });

  test('a counter refuses to shrink', () => {
    const counter = create().counter('commits_total', { result: 'ok' });
    expect(() => counter.add(-1)).toThrow(RangeError);
    expect(() => counter.add(Number.NaN)).toThrow(RangeError);
  });
});

describe('applications of one process', () => {
  test('have series of their own', async () => {
    const metrics = create();
    const [a, b] = [metrics.ofApplication('a'), metrics.ofApplication('b')];
    a.gauge('tasks').set(1);
    b.gauge('tasks').set(2);
    a.gauge('lag_records', { topic: 't', partition: '0' }).set(3);
    b.gauge('lag_records', { topic: 't', partition: '0' }).set(4);
    a.histogram('poll_duration_seconds').observe(1);
    b.counter('user_seen_total', { by: 'x' }).add(5);
    a.remove('lag_records', { topic: 't', partition: '0' });
    const text = await metrics.expose();
    expect(text).toContain('kstreamd_tasks{application="a"} 1\nkstreamd_tasks{application="b"} 2\n');
    expect(text).not.toMatch(/kstreamd_lag_records\{.*application="a"/);
    expect(text).toContain('kstreamd_lag_records{application="b",topic="t",partition="0"} 4\n');
    expect(text).toContain('kstreamd_poll_duration_seconds_count{application="a"} 1\n');
    expect(text).toContain('kstreamd_user_seen_total{application="b",by="x"} 5\n');
  });

  test('need no label of that name from plugins', () => {
    expect(() => create().counter('user_seen_total', { application: 'x' })).toThrow('cannot have the label "application"');
  });
});

describe('what is not declared throws', () => {
  const metrics = new PrometheusMetrics({ version: '0' });

  test.each<[string, () => unknown, string]>([
    ['a name', () => metrics.counter('recrods_in_total', { topic: 't' }), 'not declared'],
    ['another type', () => metrics.gauge('records_in_total', { topic: 't' }), 'is a counter, not a gauge'],
    ['a histogram as counter', () => metrics.counter('poll_duration_seconds'), 'is a histogram, not a counter'],
    ['a missing label', () => metrics.counter('records_in_total'), 'has the labels [topic], got []'],
    ['a further label', () => metrics.counter('records_in_total', { topic: 't', key: 'k' }), 'got [topic, key]'],
    ['a user name in other letters', () => metrics.counter('user_Über'), 'a-z'],
  ])('%s', (_what, act, message) => {
    expect(act).toThrow(message);
  });
});

describe('metrics of plugins', () => {
  test('need no declaration, and keep type and labels of the first use', async () => {
    const metrics = create();
    metrics.counter('user_blocked_total', { country: 'FR' }).add(2);
    metrics.histogram('user_score').observe(0.5);
    expect(await exposed(metrics, 'kstreamd_user_blocked_total{country="FR"}')).toBe(2);
    expect(await exposed(metrics, 'kstreamd_user_score_count')).toBe(1);
    expect(() => metrics.gauge('user_blocked_total', { country: 'FR' })).toThrow('is a counter');
    expect(() => metrics.counter('user_blocked_total', { city: 'Paris' })).toThrow('has the labels [country]');
  });

  test('beyond the bound of series are summed as "other", with one warning', async () => {
    const warn = vi.fn();
    const metrics = create({ ...silentLogger, warn });
    for (let i = 0; i < USER_METRICS.maxSeries + 500; i++) metrics.counter('user_seen_total', { id: String(i) }).add();
    metrics.counter('user_seen_total', { id: '0' }).add();
    const text = await metrics.expose();
    expect(text.match(/^kstreamd_user_seen_total\{/gm)).toHaveLength(USER_METRICS.maxSeries + 1);
    expect(text).toContain('kstreamd_user_seen_total{id="other"} 500\n');
    expect(text).toContain('kstreamd_user_seen_total{id="0"} 2\n');
    expect(warn).toHaveBeenCalledOnce();
  });

  test('are bounded in number', () => {
    const metrics = create();
    for (let i = 0; i < USER_METRICS.maxMetrics; i++) metrics.gauge(`user_m${i}`);
    expect(() => metrics.gauge('user_one_more')).toThrow('one too many');
    expect(() => metrics.gauge('user_m0')).not.toThrow();
  });
});

describe('of the process', () => {
  test('version, memory and the event loop are exposed', async () => {
    const metrics = create();
    expect(await exposed(metrics, `kstreamd_info{version="1.2.3",node="${process.versions.node}"}`)).toBe(1);
    expect(await exposed(metrics, 'process_resident_memory_bytes')).toBeGreaterThan(1e6);
    expect(await exposed(metrics, 'kstreamd_event_loop_delay_seconds{quantile="0.99"}')).toBeGreaterThanOrEqual(0);
  });

  test('a blocked event loop shows as delay', async () => {
    const metrics = create();
    const largest = 'kstreamd_event_loop_delay_seconds{quantile="1"}';
    await vi.waitUntil(
      async () => {
        // The monitor ticks every 100 ms and tells the time between two ticks.
        await new Promise((resolve) => setTimeout(resolve, 250));
        const end = performance.now() + 400;
        while (performance.now() < end);
        await new Promise((resolve) => setTimeout(resolve, 25));
        return ((await exposed(metrics, largest)) ?? 0) > 0.1;
      },
      { timeout: 20_000 },
    );
  });

  test('scrape listeners run before each exposition', async () => {
    const metrics = create();
    let n = 0;
    metrics.onScrape(() => metrics.gauge('held_bytes').set(++n));
    expect(await exposed(metrics, 'kstreamd_held_bytes')).toBe(1);
    expect(await exposed(metrics, 'kstreamd_held_bytes')).toBe(2);
  });
});
