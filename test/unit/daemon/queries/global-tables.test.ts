import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { enriched, reading, TableBench, TOPIC } from '../../runtime/globals/harness.js';
import { over } from '../../runtime/worker-bench.js';
import { type Served, type ServeOptions, serve } from './served.js';

let bench: TableBench;
let served: Served | undefined;

beforeEach(() => {
  bench = new TableBench();
});

afterEach(async () => {
  await served?.end();
  await bench.close();
});

async function started(worker: ServeOptions['worker'] = {}): Promise<Served> {
  served = await serve(over(bench, { start: (flow, options) => bench.startOn(flow, options) }), enriched(), { worker });
  return served;
}

describe('a global table over HTTP (S6, S11)', () => {
  test('counts as one partition, and is read as of what is visible of its topic', async () => {
    for (let i = 0; i < 30; i++) bench.set(`k${i}`, { n: i }, i % 3);
    bench.set('k7', null, 1);
    const one = await started();
    await bench.ready(one);
    expect((await one.get('/stores')).body.stores).toMatchObject([{ name: 'products', global: true, partitions: 1, running: [], elsewhere: [] }]);
    const positions = [0, 1, 2].map((partition) => ({ topic: TOPIC, partition, offset: partition === 1 ? 11 : 10 }));
    expect((await one.get('/stores/products/k3')).body).toMatchObject({ key: 'k3', value: { n: 3 }, partition: 0, stale: false, positions });
    expect(await one.get('/stores/products/k7')).toMatchObject({ status: 404, body: { code: 'query/absent', key: 'k7', positions } });
    const range = (await one.get('/stores/products?from=k2&to=k22&limit=3')).body;
    expect(range).toMatchObject({ entries: [{ key: 'k2' }, { key: 'k20' }, { key: 'k21' }], more: true, next: 'k22', positions });
    expect((await one.get('/stores/products?prefix=k1&reverse')).body.entries.map(({ key }: { key: string }) => key)).toEqual([
      ...Array.from({ length: 10 }, (_, i) => `k${19 - i}`),
      'k1',
    ]);
    expect(await one.get('/stores/products?partition=1')).toMatchObject({ status: 400 });
    bench.set('k3', { n: 'new' });
    await bench.untilAnswer('k3', { n: 'new' });
    expect((await one.get('/stores/products/k3')).body.value).toEqual({ n: 'new' });
  });

  test.each(['', '?stale=true'])('is refused while it is being read, and never said to lack a key (%s)', async (option) => {
    bench.set('a', 1);
    let open = (): void => {};
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    const held = reading(bench.broker, async (reader, max) => {
      await opened;
      return reader.read(max);
    });
    const one = await started({ transport: held });
    for (const path of ['/stores/products/a', '/stores/products/b', '/stores/products']) {
      const { status, headers, body } = await one.get(`${path}${option}`);
      expect([status, headers['retry-after'], body.code]).toEqual([503, '1', 'query/unavailable']);
    }
    open();
    await bench.ready(one);
    expect((await one.get(`/stores/products/a${option}`)).body).toMatchObject({ value: 1, stale: false });
    expect(await one.get(`/stores/products/b${option}`)).toMatchObject({ status: 404 });
  });
});
