import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { daemonOptionNames, daemonOptionsSchema, resolveDaemonOptions } from '../../../src/daemon/options.js';
import { METRIC_PREFIX, METRICS } from '../../../src/telemetry/metric-table.js';

const folder = new URL('../../../config/', import.meta.url).pathname;

function read(file: string): string {
  return readFileSync(join(folder, file), 'utf8');
}

describe('kstreamd.yaml', () => {
  const text = read('kstreamd.yaml');
  /** The file with the options that are commented out, too. */
  const whole: Record<string, unknown> = parse(text.replace(/^# (?=\w+: \S+$)/gm, ''));

  test('holds every option in the order of the schema, and no other', () => {
    expect(Object.keys(whole)).toEqual(daemonOptionNames);
  });

  test('holds the defaults', () => {
    for (const name of daemonOptionNames) {
      const { def } = daemonOptionsSchema.shape[name];
      if ('defaultValue' in def) expect(whole[name], name).toBe(def.defaultValue);
      else expect(text).toContain(`\n# ${name}: `);
    }
  });

  test('changes nothing when it is given as it is', () => {
    const config = join(folder, 'kstreamd.yaml');
    expect(resolveDaemonOptions({ flags: { config }, env: { XDG_STATE_HOME: '/x' } })).toEqual(
      resolveDaemonOptions({ flags: {}, env: { XDG_STATE_HOME: '/x' } }),
    );
  });

  test('explains each option in the words of the schema', () => {
    const comments = text.replace(/\n# (?!\w+: \S+$)/gm, ' ').replace(/\s+/g, ' ');
    for (const name of daemonOptionNames) expect(comments).toContain(daemonOptionsSchema.shape[name].meta()?.description);
  });
});

/** Names of our metrics in a text, without the suffixes that a histogram's series have. */
function metricsIn(text: string): string[] {
  const found = [...text.matchAll(/\bkstreamd_[a-z_]+/g)].map(([name]) => name.slice(METRIC_PREFIX.length));
  return [...new Set(found)].map((name) => (name in METRICS ? name : name.replace(/_(bucket|sum|count)$/, '')));
}

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

describe('prometheus-alerts.yml', () => {
  const { groups }: { groups: { name: string; rules: Rule[] }[] } = parse(read('prometheus-alerts.yml'));
  const rules = groups.flatMap((group) => group.rules);

  test('names declared metrics only', () => {
    for (const metric of metricsIn(read('prometheus-alerts.yml'))) expect(METRICS).toHaveProperty(metric);
  });

  test('watches what has to be watched', () => {
    const watched = metricsIn(rules.map(({ expr }) => expr).join('\n'));
    for (const metric of ['ready', 'broker_reachable', 'lag_records', 'commits_total', 'errors_total', 'event_loop_delay_seconds'])
      expect(watched).toContain(metric);
  });

  test.each(rules.map((rule) => [rule.alert, rule] as const))('%s has the shape of a rule', (name, rule) => {
    expect(name).toMatch(/^Kstreamd[A-Z]\w+$/);
    expect(Object.keys(rule).filter((key) => !['alert', 'expr', 'for', 'labels', 'annotations'].includes(key))).toEqual([]);
    if (rule.for !== undefined) expect(rule.for).toMatch(/^\d+[smh]$/);
    expect(['warning', 'critical']).toContain(rule.labels.severity);
    expect(rule.annotations.summary).toBeTruthy();
    for (const [open, close] of ['()', '[]', '{}']) expect(rule.expr.split(open ?? '').length).toBe(rule.expr.split(close ?? '').length);
  });

  test('uses no name twice', () => {
    const names = rules.map(({ alert }) => alert);
    expect(new Set(names).size).toBe(names.length);
  });

  test('filters and groups by labels that the metrics have', () => {
    const ofEvery = ['job', 'instance', 'application'];
    for (const { expr, alert } of rules) {
      const declared = metricsIn(expr).flatMap((name): readonly string[] => METRICS[name as keyof typeof METRICS].labels);
      const named = [...expr.matchAll(/\b(?:by|on) \(([^)]*)\)/g)].flatMap(([, list]) => (list ?? '').split(/,\s*/));
      const filtered = [...expr.matchAll(/\b(\w+)=~?"/g)].map(([, label]) => label ?? '');
      for (const label of [...named, ...filtered]) expect([...ofEvery, ...declared], alert).toContain(label);
    }
  });
});

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly refId: string; readonly expr: string }[];
}

describe('grafana-board.json', () => {
  const board: { title: string; schemaVersion: number; panels: Panel[]; templating: { list: { name: string }[] } } = JSON.parse(read('grafana-board.json'));

  test('shows every declared metric, and no other', () => {
    expect(metricsIn(read('grafana-board.json')).sort()).toEqual(Object.keys(METRICS).sort());
  });

  test('has panels with ids of their own that do not overlap', () => {
    expect(new Set(board.panels.map(({ id }) => id)).size).toBe(board.panels.length);
    const taken = new Set<string>();
    for (const { gridPos, title } of board.panels) {
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(taken.has(`${x},${y}`), title).toBe(false);
          taken.add(`${x},${y}`);
        }
      }
    }
  });

  test('asks only with variables it declares', () => {
    const declared = board.templating.list.map(({ name }) => name);
    const text = JSON.stringify(board);
    for (const [, name] of text.matchAll(/\$\{?([a-z]+)\}?/g)) expect(declared).toContain(name);
    for (const panel of board.panels) if (panel.type !== 'row') expect(panel.targets?.length, panel.title).toBeGreaterThan(0);
  });
});

interface Service {
  readonly image: string;
  readonly ports?: readonly string[];
  readonly read_only?: boolean;
  readonly volumes?: readonly string[];
  readonly depends_on?: Readonly<Record<string, unknown>>;
  readonly configs?: readonly { readonly source: string }[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly stop_grace_period?: string;
}

describe('compose.yml', () => {
  const compose: { services: Record<string, Service>; volumes: object; configs: Record<string, { file?: string; content?: string }> } = parse(
    read('compose.yml'),
  );

  test('has the four services, at fixed versions', () => {
    expect(Object.keys(compose.services)).toEqual(expect.arrayContaining(['kafka', 'kstreamd', 'prometheus', 'grafana']));
    expect(compose.services.kafka?.image).toBe('apache/kafka:4.1.0');
    for (const [name, { image }] of Object.entries(compose.services)) if (name !== 'kstreamd') expect(image).toMatch(/:v?\d+\.\d+\.\d+$/);
  });

  test('runs kstreamd on a read-only root with one volume, and gives it the time to stop', () => {
    const { read_only, volumes, environment, stop_grace_period } = compose.services.kstreamd ?? { image: '' };
    expect(read_only).toBe(true);
    expect(volumes?.filter((volume) => !volume.endsWith(':ro'))).toEqual([`kstreamd-state:${environment?.KSTREAMD_STATE_DIR}`]);
    const options = resolveDaemonOptions({ flags: {}, env: environment ?? {} });
    expect(options.http?.host).toBe('0.0.0.0');
    expect(Number.parseInt(stop_grace_period ?? '', 10) * 1000).toBeGreaterThan(options.shutdownTimeoutMs);
  });

  test('opens ports on loopback only', () => {
    for (const { ports } of Object.values(compose.services)) for (const port of ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:/);
  });

  test('refers to services, volumes and configs that it has', () => {
    for (const { volumes, depends_on, configs } of Object.values(compose.services)) {
      for (const volume of volumes ?? []) if (/^\w/.test(volume)) expect(Object.keys(compose.volumes)).toContain(volume.split(':')[0]);
      for (const service of Object.keys(depends_on ?? {})) expect(Object.keys(compose.services)).toContain(service);
      for (const { source } of configs ?? []) expect(Object.keys(compose.configs)).toContain(source);
    }
    for (const { file, content } of Object.values(compose.configs)) expect(file === undefined ? parse(content ?? '') : read(file)).toBeTruthy();
  });
});
