import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Logger } from '../../../../src/core/logger.js';
import type { KeyValueStore } from '../../../../src/core/store.js';
import type { GroupMember, TopicAdmin, Transport } from '../../../../src/core/transport.js';
import { OpenTransaction } from '../../../../src/testing/memory-transactions.js';
import { each, onError } from '../harness.js';
import { over } from '../worker-bench.js';
import { enriched, reading, TABLE, TableBench, TOPIC } from './harness.js';

let bench: TableBench;

beforeEach(() => {
  bench = new TableBench();
});

afterEach(() => bench.close());

const table = (context: { store: (name: string) => unknown }): KeyValueStore<string, any> => context.store(TABLE) as KeyValueStore<string, any>;

async function collected<T>(entries: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const entry of entries) all.push(entry);
  return all;
}

test('each line of the log names its table, once', async () => {
  const lines: { message: string; names: string[] }[] = [];
  const logging = (above: object): Logger => {
    const line = (fields: object, message: string): void =>
      void lines.push({ message, names: [above, fields].flatMap((some) => ('table' in some ? [String(some.table)] : [])) });
    return { debug: line, info: line, warn: line, error: line, child: (fields) => logging({ ...above, ...fields }) };
  };
  bench.broker.createTopic('deleting', 1, { 'cleanup.policy': 'delete' });
  const flow = enriched({ tables: { [TABLE]: TOPIC, other: 'deleting' } });
  const first = bench.startOn(flow, { logger: logging({}) });
  await bench.ask('a');
  await first.stop();
  bench.broker.deleteTopic(TOPIC);
  bench.broker.createTopic(TOPIC, 2, { 'cleanup.policy': 'compact' });
  const second = bench.startOn(enriched({ tables: { [TABLE]: TOPIC, other: 'deleting' } }), { logger: logging({}) });
  await bench.until(() => lines.some(({ message }) => message.includes('the local copy')));
  await second.stop();
  const ofTables = lines.filter(({ message }) => message.includes('global table'));
  expect(new Set(ofTables.map(({ message }) => message.replace(/:.*/, '')))).toEqual(
    new Set([
      'global table complete',
      'the topic of a global table should have cleanup.policy=compact',
      'the local copy of the global table is built anew from its topic',
    ]),
  );
  expect(ofTables.filter(({ names }) => names.length !== 1)).toEqual([]);
});

describe.each(['leveldb', 'memory'])('S6: a global table on %s', (engine) => {
  test('is read to the ends of all partitions before the first record is processed', async () => {
    for (let i = 0; i < 5000; i++) bench.set(`k${i}`, i, i % 3);
    bench.set('k7', 'newer', 1);
    bench.set('k8', null, 2);
    for (let i = 0; i < 100; i++) bench.append('in', [i], 0, `k${i}`);
    const running = bench.startOn(enriched({ engine }));
    await bench.until(() => bench.values('out').length === 100);
    const expected = Array.from({ length: 100 }, (_, i) => ({ of: i, is: i === 7 ? 'newer' : i === 8 ? null : i }));
    expect(bench.values('out')).toEqual(expected);
    expect(bench.metrics.get('restore_records_total', { store: TABLE })).toBe(5002);
    expect(running.worker.unready).toEqual([]);
  });

  test('follows its topic, and a restart goes on from where it was', async () => {
    bench.set('a', 1);
    bench.set('b', 2, 2);
    const first = bench.startOn(enriched({ engine }));
    expect(await bench.ask('a')).toBe(1);
    bench.set('a', 11);
    bench.set('b', null, 2);
    await bench.untilAnswer('a', 11);
    await bench.untilAnswer('b', null);
    await first.stop();
    const before = bench.metrics.get('restore_records_total', { store: TABLE });
    bench.set('c', 3, 1);
    bench.startOn(enriched({ engine }));
    expect([await bench.ask('a'), await bench.ask('b'), await bench.ask('c')]).toEqual([11, null, 3]);
    const restored = (bench.metrics.get('restore_records_total', { store: TABLE }) ?? 0) - (before ?? 0);
    expect(restored).toBe(engine === 'leveldb' ? 1 : 5);
  });

  test('answers getBatch, ranges, prefixes and counts, in byte order, memory laid over the engine', async () => {
    for (let i = 0; i < 300; i++) bench.set(`k${String(i).padStart(3, '0')}`, i, i % 3);
    const seen: Record<string, unknown> = {};
    const create = each(async (record, context) => {
      const store = table(context);
      seen.batch = await store.getBatch(Array.from({ length: 200 }, (_, i) => `k${String(2 * i).padStart(3, '0')}`));
      seen.range = await collected(store.range('k010', 'k012'));
      seen.reverse = await collected(store.range('k010', undefined, { reverse: true, limit: 2 }));
      seen.prefix = (await collected(store.prefixScan('k29'))).length;
      seen.all = (await collected(store.all())).length;
      seen.count = await store.approximateCount();
      context.forward(record);
    });
    bench.append('in', [1]);
    bench.startOn(enriched({ engine, create }));
    await bench.until(() => bench.values('out').length === 1);
    expect(seen.batch).toEqual(Array.from({ length: 200 }, (_, i) => (2 * i < 300 ? 2 * i : null)));
    expect(seen.range).toEqual([10, 11, 12].map((i) => [`k0${i}`, i]));
    expect(seen.reverse).toEqual([299, 298].map((i) => [`k${i}`, i]));
    expect([seen.prefix, seen.all]).toEqual([10, 300]);
    expect(bench.warnings).toEqual([]);
  });
});

describe('S6: what a step may do with a global table', () => {
  test.each(['put', 'putIfAbsent', 'delete', 'setBatch', 'deleteBatch'] as const)('%s ends the run and says where to write', async (call) => {
    bench.append('in', [1]);
    const create = each((_, context) => void (table(context)[call] as (...given: unknown[]) => void)('k', 1));
    const { ended } = bench.startOn(enriched({ create }));
    expect(await ended).toMatchObject({
      name: 'FatalError',
      code: 'table/read-only',
      message: `step "join": ${call} on the table "products", which only its topic writes`,
    });
  });

  test('a value that is not in its format is the fault of the record that looks it up', async () => {
    bench.broker.append(TOPIC, { partition: 0, key: Buffer.from('bad'), value: Buffer.from('{') });
    bench.set('good', 1);
    for (const key of ['good', 'bad', 'good']) bench.append('in', [key], 0, key);
    bench.startOn(enriched(), { onError: onError('skip') });
    await bench.until(() => bench.values('out').length === 2);
    expect(bench.values('out')).toEqual([
      { of: 'good', is: 1 },
      { of: 'good', is: 1 },
    ]);
    expect(bench.warnings[0]?.fields).toMatchObject({ code: 'table/format' });
  });

  test('an iterator that it leaves open is closed with the batch, and reported', async () => {
    bench.set('a', 1);
    bench.append('in', [1]);
    const create = each((record, context) => {
      table(context).all();
      context.forward(record);
    });
    bench.startOn(enriched({ create }));
    await bench.until(() => bench.values('out').length === 1);
    expect(bench.warnings.map(({ message }) => message)).toEqual(['step join left an iterator over store products open; it is closed at the end of the batch']);
  });

  test('a batch that waits sees one state of it, however long it waits, and the next one the newest', async () => {
    bench.set('a', 1);
    let go = (): void => {};
    const held = new Promise<void>((resolve) => {
      go = resolve;
    });
    const seen: unknown[] = [];
    const create = each(async (record, context) => {
      seen.push(table(context).get('a'));
      if (record.value === 1) await held;
      seen.push(table(context).get('a'));
      context.forward(record);
    });
    bench.append('in', [1]);
    bench.startOn(enriched({ create }));
    await bench.until(() => seen.length === 1);
    bench.set('a', 2);
    bench.append('in', [2]);
    // The copy has read it, and waits to write it.
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(bench.metrics.get('global_table_records_total', { store: TABLE })).toBeUndefined();
    go();
    await bench.until(() => bench.values('out').length === 2);
    expect(seen.slice(0, 2)).toEqual([1, 1]);
    await bench.until(() => bench.metrics.get('global_table_records_total', { store: TABLE }) === 1);
    bench.append('in', [3]);
    await bench.until(() => bench.values('out').length === 3);
    expect(seen.slice(4)).toEqual([2, 2]);
  });
});

describe('S6: the start', () => {
  test('a topic that does not exist is named, with the table', async () => {
    const { ended } = bench.startOn(enriched({ tables: { [TABLE]: 'nowhere' } }));
    expect(await ended).toMatchObject({
      name: 'ConfigError',
      code: 'topic/missing',
      message: 'the topic "nowhere" of the global table "products" does not exist',
    });
  });

  test('a format that does not exist is named', async () => {
    const { ended } = bench.startOn(enriched({ value: 'jsno' }));
    expect(await ended).toMatchObject({ name: 'ConfigError', code: 'format/unknown' });
  });

  test('while it loads, the instance is not ready, in no group, and tells how far it is; then it joins', async () => {
    for (let i = 0; i < 50; i++) bench.set(`k${i}`, i, i % 3);
    let open = (): void => {};
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    const { broker } = bench;
    let joined = false;
    const held = reading(broker, async (reader, max) => {
      await opened;
      return reader.read(max);
    });
    const transport = over(held, {
      member: async (options) => {
        const { member, reader } = await broker.member(options);
        const join: GroupMember['join'] = (topics, listener) => {
          joined = true;
          return member.join(topics, listener);
        };
        return { member: over(member, { join }), reader };
      },
    });
    const running = bench.startOn(enriched(), { transport });
    await bench.until(() => running.worker.unready.some((reason) => reason.includes('global')));
    await bench.until(() => bench.metrics.get('restore_remaining_records', { store: TABLE, partition: '0' }) === 17);
    const status = await running.worker.status();
    expect(status.state).toBe('restoring');
    expect(status.globals).toMatchObject([
      { table: TABLE, topic: TOPIC, state: 'loading', records: 0, partitions: [{ partition: 0, position: 0, end: 17, lag: 17 }, {}, {}] },
    ]);
    expect(running.worker.unready).toEqual(['reading global tables: products', 'waiting for the consumer group']);
    expect(joined).toBe(false);
    open();
    await bench.ready(running);
    expect(joined).toBe(true);
    expect((await running.worker.status()).globals).toMatchObject([
      { state: 'running', directory: bench.directory(), partitions: [{ lag: 0 }, { lag: 0 }, { lag: 0 }] },
    ]);
    expect(bench.metrics.get('restore_remaining_records', { store: TABLE, partition: '0' })).toBeUndefined();
  });

  test('a stop while it loads ends the worker; the next start goes on from there', async () => {
    for (let i = 0; i < 50; i++) bench.set(`k${i}`, i);
    const never = reading(bench.broker, async () => {
      await new Promise((resolve) => setTimeout(resolve, 2));
      return { batches: [], drained: true };
    });
    const running = bench.startOn(enriched(), { transport: never });
    await bench.until(() => bench.metrics.get('restore_remaining_records', { store: TABLE, partition: '0' }) === 50);
    await running.stop();
    bench.startOn(enriched());
    expect(await bench.ask('k49')).toBe(49);
  });

  test('the broker away: it waits, and says so', async () => {
    bench.set('a', 1);
    bench.append('in', [1], 0, 'a');
    const { broker } = bench;
    let asked = 0;
    const transport = over<Transport>(broker, {
      admin: async () => {
        const admin = await broker.admin();
        const describe: TopicAdmin['describe'] = async (topics) => {
          if (topics.includes(TOPIC) && asked++ === 1) broker.setReachable(false);
          return admin.describe(topics);
        };
        return over(admin, { describe });
      },
    });
    bench.startOn(enriched(), { transport });
    await bench.until(() => bench.warnings.length > 0);
    broker.setReachable(true);
    await bench.until(() => bench.values('out').length === 1);
    expect(bench.warnings.map(({ message }) => message)).toContain('a global table has to wait; trying again');
  });

  test('records without a key are left out and counted', async () => {
    bench.set(null, 1);
    bench.set('a', 2);
    bench.startOn(enriched());
    expect(await bench.ask('a')).toBe(2);
    expect(bench.metrics.get('restore_skipped_records_total', { store: TABLE })).toBe(1);
  });

  test('what an open transaction holds is not waited for, and comes when it is committed', async () => {
    const transaction = new OpenTransaction();
    bench.set('a', 1);
    bench.broker.write([{ topic: TOPIC, partition: 0, key: Buffer.from('a'), value: Buffer.from('2'), timestamp: 0, headers: [] }], transaction);
    bench.startOn(enriched());
    expect(await bench.ask('a')).toBe(1);
    transaction.end('committed');
    await bench.untilAnswer('a', 2);
  });

  test('three tables, two of them of one topic', async () => {
    bench.broker.createTopic('prices', 2);
    bench.set('a', 5, 1, 'prices');
    bench.set('a', 6);
    const create = each((record, context) =>
      context.forward(record.withValue(['products', 'prices', 'again'].map((name) => (context.store(name) as KeyValueStore).get(record.key)))),
    );
    bench.append('in', [1], 0, 'a');
    bench.startOn(enriched({ create, tables: { products: TOPIC, prices: 'prices', again: 'prices' } }));
    await bench.until(() => bench.values('out').length === 1);
    expect(bench.values('out')).toEqual([[6, 5, 5]]);
  });
});

describe('S14: on disk', () => {
  test('the table has a directory of its own, with meta.json; another process that holds it sends this one beside', async () => {
    bench.set('a', 1);
    const first = bench.startOn(enriched());
    await bench.ready(first);
    expect(JSON.parse(readFileSync(join(bench.directory(), 'meta.json'), 'utf8'))).toMatchObject({
      application: 'app',
      stores: { products: { engine: 'leveldb' } },
    });
    const second = bench.startOn(enriched(), { hold: { instanceId: 'two' } });
    await bench.ready(second);
    expect(readdirSync(join(bench.stateDir, '@global')).sort()).toEqual(['products', 'products.two']);
    expect((await second.worker.status()).globals?.[0]?.directory).toBe(`${bench.directory()}.two`);
  });

  test('another format of the table reads the same bytes', async () => {
    bench.set('a', 1);
    const first = bench.startOn(enriched());
    expect(await bench.ask('a')).toBe(1);
    await first.stop();
    bench.startOn(enriched({ value: 'string' }));
    expect(await bench.ask('a')).toBe('1');
    expect(bench.metrics.get('restore_records_total', { store: TABLE })).toBe(1);
  });

  test('another topic under the same name is read anew', async () => {
    bench.broker.createTopic('other', 1);
    bench.set('a', 1);
    bench.set('b', 2, 0, 'other');
    const first = bench.startOn(enriched());
    expect(await bench.ask('a')).toBe(1);
    await first.stop();
    bench.startOn(enriched({ tables: { [TABLE]: 'other' } }));
    expect([await bench.ask('a'), await bench.ask('b')]).toEqual([null, 2]);
    expect(bench.metrics.get('restore_rebuilds_total', { store: TABLE, reason: 'other-topic' })).toBe(1);
  });
});
