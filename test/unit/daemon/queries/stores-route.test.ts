import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { KeyValueStore } from '../../../../src/core/store.js';
import type { SessionStore, TimestampedStore, VersionedStore, WindowStore } from '../../../../src/core/store-types.js';
import { each, Flow } from '../../runtime/harness.js';
import { WorkerBench } from '../../runtime/worker-bench.js';
import { declare, type Served, serve } from './served.js';

let bench: WorkerBench;
const open: Served[] = [];

beforeEach(() => {
  bench = WorkerBench.withTopics('in', 'out');
});

afterEach(async () => {
  for (const one of open.splice(0)) await one.end();
  await bench.close();
});

const MINUTE = 60_000;

/** One store of each type; each record is written to all of them. */
function everyType(): Flow {
  const flow = new Flow().source('in');
  declare(flow, { name: 'plain', type: 'key-value' });
  declare(flow, { name: 'stamped', type: 'timestamped' });
  declare(flow, { name: 'past', type: 'versioned', historyMs: 10 * MINUTE });
  declare(flow, { name: 'clicks', type: 'window', retentionMs: 10 * MINUTE, windowSizeMs: MINUTE, value: 'int64' });
  declare(flow, { name: 'visits', type: 'session', retentionMs: 10 * MINUTE });
  declare(flow, { name: 'fleeting', type: 'key-value', ttlMs: MINUTE });
  const names = ['plain', 'stamped', 'past', 'clicks', 'visits', 'fleeting'];
  const write = each((record, context) => {
    const { key, value, timestamp } = record;
    context.store<KeyValueStore>('plain').put(key, value);
    context.store<TimestampedStore>('stamped').put(key, { value, timestamp });
    context.store<VersionedStore>('past').put(key, value, timestamp);
    context.store<WindowStore>('clicks').put(key, value.n, timestamp - (timestamp % MINUTE));
    context.store<SessionStore>('visits').put({ key, start: timestamp, end: timestamp + 10 }, value);
    context.store<KeyValueStore>('fleeting').put(key, value);
  });
  flow.builder.addProcessor({ name: 'write', create: write, stores: Object.fromEntries(names.map((name) => [name, name])) }, ['in']);
  return flow;
}

function append(key: string, n: number, timestamp: number, partition = 0): void {
  bench.broker.append('in', { partition, key: Buffer.from(key), value: Buffer.from(JSON.stringify({ n })), timestamp });
}

async function started(flow: Flow, options: Parameters<typeof serve>[2] = {}): Promise<Served> {
  const served = await serve(bench, flow, options);
  open.push(served);
  return served;
}

describe('every type of store', () => {
  let served: Served;

  beforeEach(async () => {
    served = await started(everyType());
    append('a', 1, 1000);
    append('b', 2, 2000);
    append('a', 3, MINUTE + 5);
    append('c/ü', 4, MINUTE + 7);
    await bench.until(() => bench.committed() === 4);
  });

  const at = { positions: [{ topic: 'in', partition: 0, offset: 4 }], stale: false };

  test('gives one value by key, with where it was read', async () => {
    expect(await served.get('/stores/plain/a')).toMatchObject({
      status: 200,
      body: { application: 'app', store: 'plain', key: 'a', value: { n: 3 }, partition: 0, ...at },
    });
    expect((await served.get('/stores/plain/c%2F%C3%BC')).body).toMatchObject({ key: 'c/ü', value: { n: 4 } });
    expect((await served.get('/stores/plain?key=c/%C3%BC')).body).toMatchObject({ key: 'c/ü', value: { n: 4 } });
    expect((await served.get('/stores/stamped/b')).body).toMatchObject({ value: { n: 2 }, timestamp: 2000 });
  });

  test('says that a key is absent, with where that was read', async () => {
    expect(await served.get('/stores/plain/zzz')).toMatchObject({ status: 404, body: { code: 'query/absent', store: 'plain', key: 'zzz', ...at } });
  });

  test('gives versions as of a time', async () => {
    expect((await served.get('/stores/past/a')).body).toMatchObject({ value: { n: 3 }, timestamp: MINUTE + 5, validTo: null });
    expect((await served.get('/stores/past/a?asOf=1500')).body).toMatchObject({ value: { n: 1 }, timestamp: 1000, validTo: MINUTE + 5 });
    expect((await served.get('/stores/past/a?asOf=1970-01-01T00:00:30Z')).body).toMatchObject({ value: { n: 1 } });
    expect((await served.get('/stores/past/a?asOf=1970-01-01T01:00:30+01:00')).body).toMatchObject({ value: { n: 1 } });
    expect(await served.get('/stores/past/a?asOf=999')).toMatchObject({ status: 404 });
  });

  test('gives windows by key and time', async () => {
    const first = { key: 'a', start: 0, end: MINUTE, value: 1 };
    const second = { key: 'a', start: MINUTE, end: 2 * MINUTE, value: 3 };
    expect((await served.get('/stores/clicks/a')).body).toMatchObject({ entries: [first, second], more: false, ...at });
    expect((await served.get(`/stores/clicks/a?start=1&end=${MINUTE}`)).body.entries).toEqual([second]);
    expect((await served.get(`/stores/clicks/a?reverse&limit=1`)).body).toMatchObject({ entries: [second], more: true });
    expect((await served.get('/stores/clicks/a?window=0')).body).toMatchObject(first);
    expect(await served.get('/stores/clicks/a?window=1')).toMatchObject({ status: 404 });
    const all = [first, { key: 'b', start: 0, end: MINUTE, value: 2 }, second, { key: 'c/ü', start: MINUTE, end: 2 * MINUTE, value: 4 }];
    const shown = (await served.get('/stores/clicks')).body.entries as (typeof all)[number][];
    expect(shown.sort((a, b) => a.start - b.start || (a.key < b.key ? -1 : 1))).toEqual(all);
    expect((await served.get(`/stores/clicks?end=0&from=b`)).body.entries).toEqual([all[1]]);
  });

  test('gives sessions that reach into a span', async () => {
    const one = { key: 'a', start: 1000, end: 1010, value: { n: 1 } };
    expect((await served.get('/stores/visits/a?end=1005')).body.entries).toEqual([one]);
    expect((await served.get('/stores/visits/a?start=1010&end=1010')).body.entries).toEqual([one]);
    expect((await served.get('/stores/visits/a?start=1011&end=2000')).body.entries).toEqual([]);
    expect((await served.get('/stores/visits')).body.entries).toHaveLength(4);
  });

  test('forgets entries whose time to live is over', async () => {
    expect(await served.get('/stores/fleeting/b')).toMatchObject({ status: 200 });
    append('a', 5, 3 * MINUTE);
    await bench.until(() => bench.committed() === 5);
    expect(await served.get('/stores/fleeting/b')).toMatchObject({ status: 404 });
    expect((await served.get('/stores/fleeting')).body.entries).toEqual([{ key: 'a', value: { n: 5 } }]);
  });

  test('gives ranges, prefixes, either way and page by page', async () => {
    const keys = async (path: string): Promise<string[]> => (await served.get(path)).body.entries.map(({ key }: { key: string }) => key);
    expect(await keys('/stores/plain')).toEqual(['a', 'b', 'c/ü']);
    expect(await keys('/stores/plain?reverse=true')).toEqual(['c/ü', 'b', 'a']);
    expect(await keys('/stores/plain?from=b')).toEqual(['b', 'c/ü']);
    expect(await keys('/stores/past?to=b')).toEqual(['a', 'b']);
    expect(await keys('/stores/past?prefix=c/')).toEqual(['c/ü']);
    expect(await keys('/stores/stamped?prefix=c%2F')).toEqual(['c/ü']);
    expect((await served.get('/stores/plain?limit=2')).body).toMatchObject({ more: true, next: 'c/ü', ...at });
    expect(await keys(`/stores/plain?limit=2&from=${encodeURIComponent('c/ü')}`)).toEqual(['c/ü']);
    expect((await served.get('/stores/plain?reverse&limit=1')).body).toMatchObject({ more: true, next: 'b' });
  });

  test('are listed', async () => {
    const { body } = await served.get('/stores');
    expect(body.stores.map(({ name, type }: { name: string; type: string }) => `${name} ${type}`)).toEqual([
      'plain key-value',
      'stamped timestamped',
      'past versioned',
      'clicks window',
      'visits session',
      'fleeting key-value',
    ]);
    expect(body.stores[3]).toMatchObject({
      application: 'app',
      key: 'string',
      value: 'int64',
      partitions: 1,
      running: [0],
      restoring: [],
      windowSizeMs: MINUTE,
    });
  });

  test('are counted', async () => {
    await served.get('/stores/plain/a');
    await served.get('/stores/plain/zzz');
    await served.get('/stores/plain?limit=x');
    const count = (kind: string, outcome: string) => served.metrics.get('queries_total', { store: 'plain', kind, outcome });
    expect([count('get', 'answered'), count('get', 'absent'), count('range', 'refused')]).toEqual([1, 1, 1]);
  });
});
