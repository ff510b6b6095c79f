import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { partitionForKey } from '../../../../src/core/murmur2.js';
import { PEER_HEADER } from '../../../../src/daemon/queries/peers.js';
import { counting, Flow } from '../../runtime/harness.js';
import { WorkerBench } from '../../runtime/worker-bench.js';
import { declare, type Served, type Stored, serve } from './served.js';

vi.setConfig({ testTimeout: 30_000 });

const PARTITIONS = 4;
const KEYS = Array.from({ length: 40 }, (_, n) => `k${n}`);
const home = (key: string): number => partitionForKey(Buffer.from(key), PARTITIONS);

let bench: WorkerBench;
const open: Served[] = [];

beforeEach(() => {
  bench = new WorkerBench();
  bench.broker.createTopic('many', PARTITIONS);
});

afterEach(async () => {
  for (const one of open.splice(0)) await one.end();
  await bench.close();
});

/** Counts by key. */
function counts(more: Partial<Stored> = {}): Flow {
  const flow = declare(new Flow().source('in', { topics: ['many'] }), { name: 'counts', type: 'key-value', ...more });
  flow.builder.addProcessor({ name: 'count', create: counting('counts'), stores: { counts: 'counts' } }, ['in']);
  return flow;
}

async function started(id: string, options: Parameters<typeof serve>[2] & { store?: Partial<Stored> } = {}): Promise<Served> {
  const served = await serve(bench, counts(options.store), { id, ...options });
  open.push(served);
  return served;
}

function feed(partitionOf: (key: string) => number = home): void {
  for (const key of KEYS) bench.append('many', [1], partitionOf(key), key);
}

const running = async (one: Served): Promise<number[]> => (await one.get('/stores')).body.stores[0].running;
const elsewhere = async (one: Served): Promise<number> =>
  (await one.get('/stores')).body.stores[0].elsewhere.flatMap(({ partitions }: any) => partitions).length;

async function eventually(check: () => Promise<boolean>): Promise<void> {
  while (!(await check())) await bench.until(() => true, 10);
}

/** Two instances that know each other, with two partitions each. */
async function pair(options: { token?: string; store?: Partial<Stored> } = {}): Promise<[Served, Served]> {
  const a = await started('a', options);
  await eventually(async () => (await running(a)).length === PARTITIONS);
  const b = await started('b', options);
  await eventually(async () => (await elsewhere(a)) === 2 && (await elsewhere(b)) === 2 && (await running(a)).length === 2 && (await running(b)).length === 2);
  return [a, b];
}

const processed = (): Promise<void> =>
  bench.until(() => Array.from({ length: PARTITIONS }, (_, p) => bench.committed('many', p) ?? 0).reduce((sum, one) => sum + one) >= KEYS.length);

describe('two instances', () => {
  test('each answers for any key, from the one that has it', async () => {
    const [a, b] = await pair();
    feed();
    await processed();
    for (const one of [a, b]) {
      for (const key of KEYS) expect((await one.get(`/stores/counts/${key}`)).body).toMatchObject({ key, value: 1, partition: home(key), stale: false });
    }
    const asPeer = { store: 'counts', kind: 'peer', outcome: 'answered' };
    expect(a.metrics.get('queries_total', asPeer)).toBeGreaterThan(0);
    expect(b.metrics.get('queries_total', asPeer)).toBeGreaterThan(0);
  });

  test('ranges come from both, in the order of the keys, page by page', async () => {
    const [a] = await pair();
    feed();
    await processed();
    const sorted = [...KEYS].sort();
    const all = (await a.get('/stores/counts')).body;
    expect(all.entries.map(({ key }: { key: string }) => key)).toEqual(sorted);
    expect(all.positions).toHaveLength(PARTITIONS);
    expect((await a.get('/stores/counts?reverse')).body.entries.map(({ key }: { key: string }) => key)).toEqual([...sorted].reverse());
    const paged: string[] = [];
    for (let from = ''; ; ) {
      const { entries, more, next } = (await a.get(`/stores/counts?limit=7&from=${from}`)).body;
      paged.push(...entries.map(({ key }: { key: string }) => key));
      if (!more) break;
      from = next;
    }
    expect(paged).toEqual(sorted);
    const one = (await a.get('/stores/counts?partition=1,3')).body;
    expect(one.entries.map(({ key }: { key: string }) => key)).toEqual(sorted.filter((key) => home(key) % 2 === 1));
  });

  test('keys that another partitioner has put elsewhere are found too', async () => {
    const [a, b] = await pair();
    feed((key) => (home(key) + 1) % PARTITIONS);
    await processed();
    for (const key of KEYS.slice(0, 8)) {
      expect((await a.get(`/stores/counts/${key}`)).body).toMatchObject({ value: 1, partition: (home(key) + 1) % PARTITIONS });
      expect(await b.get(`/stores/counts/${key}?partition=${home(key)}`)).toMatchObject({ status: 404 });
    }
    expect(await b.get('/stores/counts/nobody')).toMatchObject({ status: 404, body: { positions: expect.objectContaining({ length: PARTITIONS }) } });
  });

  test('what one instance asks of another is never asked on, and only of the one that is meant', async () => {
    const [a, b] = await pair();
    feed();
    await processed();
    const mine = await running(a);
    const foreign = KEYS.find((key) => !mine.includes(home(key))) as string;
    const told = await a.get(`/stores/counts/${foreign}?partition=${home(foreign)}`, { [PEER_HEADER]: 'a' });
    expect(told).toMatchObject({ status: 200, body: { parts: [] } });
    expect(await a.get(`/stores/counts/${foreign}`, { [PEER_HEADER]: 'b' })).toMatchObject({ status: 421, body: { code: 'query/other-instance' } });
    expect(await b.get('/stores/counts?partition=0,1,2,3', { [PEER_HEADER]: 'b' })).toMatchObject({
      body: { parts: (await running(b)).map((partition) => ({ partition })) },
    });
  });

  test('when one goes, queries for its keys are refused until the other has them, and never say that a key is absent', async () => {
    const [a, b] = await pair();
    feed();
    await processed();
    const theirs = KEYS.filter((key) => home(key) === 0 || home(key) === 1 || home(key) === 2 || home(key) === 3);
    const stopping = b.stop();
    const seen = new Set<number>();
    for (let round = 0; round < 400; round++) {
      const key = theirs[round % theirs.length] as string;
      const { status, body, headers } = await a.get(`/stores/counts/${key}`);
      seen.add(status as number);
      if (status === 200) expect(body.value).toBe(1);
      else expect([status, headers['retry-after'], body.code]).toEqual([503, '1', 'query/unavailable']);
      bench.clock.advance(5);
    }
    await stopping;
    expect(seen.has(200)).toBe(true);
    await eventually(async () => (await running(a)).length === PARTITIONS);
    for (const key of KEYS) expect((await a.get(`/stores/counts/${key}`)).body).toMatchObject({ value: 1 });
  });

  test('when one does not answer any more, its keys are refused, and a range is never given in part', async () => {
    const [a, b] = await pair();
    feed();
    await processed();
    const theirs = await running(b);
    await b.server.close();
    const key = KEYS.find((one) => theirs.includes(home(one))) as string;
    expect(await a.get(`/stores/counts/${key}`)).toMatchObject({ status: 503, headers: { 'retry-after': '1' }, body: { code: 'query/unavailable' } });
    expect((await a.get(`/stores/counts/${key}`)).body.error).toContain('instance b at http://127.0.0.1:');
    expect(await a.get('/stores/counts')).toMatchObject({ status: 503 });
    const mine = KEYS.find((one) => !theirs.includes(home(one))) as string;
    expect(await a.get(`/stores/counts/${mine}`)).toMatchObject({ status: 200 });
  });

  test('a copy answers where that is asked for, and says that it may be behind', async () => {
    const [a, b] = await pair({ store: { standby: 1 } });
    feed();
    await processed();
    const copies = async (): Promise<number[]> => (await a.get('/stores')).body.stores[0].copies;
    await eventually(async () => (await copies()).length === 2);
    const theirs = await running(b);
    const key = KEYS.find((one) => theirs.includes(home(one))) as string;
    expect((await a.get(`/stores/counts/${key}`)).body.stale).toBe(false);
    await b.server.close();
    await eventually(async () => (await a.get(`/stores/counts/${key}?stale=true`)).status === 200);
    const { body } = await a.get(`/stores/counts/${key}?stale=true`);
    expect(body).toMatchObject({ value: 1, stale: true, staleBecause: 'standby', positions: [{ topic: 'app-counts-changelog', partition: home(key) }] });
    expect(await a.get(`/stores/counts/${key}`)).toMatchObject({ status: 503 });
  });

  test('a store without a changelog is routed too', async () => {
    const a = await started('a', { store: { changelog: undefined } });
    await eventually(async () => (await running(a)).length === PARTITIONS);
    const b = await started('b', { store: { changelog: undefined } });
    await eventually(async () => (await elsewhere(a)) === 2 && (await elsewhere(b)) === 2);
    feed();
    await processed();
    for (const key of KEYS.slice(0, 10)) expect((await b.get(`/stores/counts/${key}`)).body).toMatchObject({ value: 1 });
  });
});

describe('one instance', () => {
  test('that has not joined its group yet refuses, and knows its stores', async () => {
    const joining = new Promise<never>(() => {});
    const served = await serve(bench, counts(), { worker: { transport: { admin: () => joining, onReachable: () => {} } as any } });
    expect(await served.get('/stores/counts/k')).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
    expect(await served.get('/stores/count/k')).toMatchObject({ status: 404, body: { code: 'query/unknown-store' } });
    bench.forget(served);
    await served.end();
  });

  test('that cannot reach a broker answers only those who take what may be stale', async () => {
    const listeners: ((reachable: boolean) => void)[] = [];
    const transport = { ...transportOf(bench), onReachable: (listener: (reachable: boolean) => void) => void listeners.push(listener) };
    const a = await started('a', { worker: { transport } });
    feed();
    await processed();
    for (const tell of listeners) tell(false);
    expect(await a.get('/stores/counts/k1')).toMatchObject({ status: 503 });
    expect((await a.get('/stores/counts/k1?stale')).body).toMatchObject({ value: 1, stale: true, staleBecause: 'broker-unreachable' });
    for (const tell of listeners) tell(true);
    expect(await a.get('/stores/counts/k1')).toMatchObject({ status: 200 });
  });
});

function transportOf({ broker }: WorkerBench): any {
  return {
    member: (options: any) => broker.member(options),
    reader: (options: any) => broker.reader(options),
    sink: (options: any) => broker.sink(options),
    admin: () => broker.admin(),
  };
}
