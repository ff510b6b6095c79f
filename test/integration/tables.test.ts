import { rmSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { DaemonProcess } from './daemon-process.js';
import { KafkaData, type Outgoing } from './kafka-data.js';
import { Scratch, unique } from './scratch.js';

const CUSTOMERS = 300;
const ORDERS = 6_000;
/** With each version of the table. */
const KILLS = process.env.KSTREAMD_LONG_TESTS === '1' ? 5 : 1;
const PARTITIONS = 2;

const brokers = inject('brokers');
let kafka: KafkaData;

beforeAll(async () => {
  kafka = await KafkaData.connect(brokers);
});

afterAll(() => kafka.close());

interface Shop {
  readonly name: string;
  readonly customers: string;
  readonly orders: string;
  readonly out: string;
  readonly scratch: Scratch;
  readonly start: () => DaemonProcess;
}

/** Orders keyed by customer, joined with their table under exactly-once. */
async function openShop(more = ''): Promise<Shop> {
  const scratch = new Scratch();
  const name = unique('shop');
  const customers = await kafka.createTopic(unique('customers'), PARTITIONS, { 'cleanup.policy': 'compact' });
  const [orders, out] = [await kafka.createTopic(unique('orders'), PARTITIONS), await kafka.createTopic(unique('out'), PARTITIONS)];
  const file = scratch.file(
    'p.yaml',
    `name: ${name}
kafka: { brokers: "${brokers}", client: { session.timeout.ms: 6000 } }
guarantee: exactly-once
batch: { maxRecords: 50 }
tables: { customers: { topic: ${customers}${more} } }
from: ${orders}
steps:
  - join: customers
    as: customer
to: ${out}
`,
  );
  const start = (): DaemonProcess => new DaemonProcess([file], { stateDir: scratch.path('state'), flags: ['--instance-id', 'one'] });
  return { name, customers, orders, out, scratch, start };
}

function* rows(version: number): Iterable<Outgoing> {
  for (let i = 0; i < CUSTOMERS; i++) yield { key: `c${i}`, value: JSON.stringify({ version }), timestamp: version * 1_000_000 };
}

function* sold(from: number, to: number, version: number): Iterable<Outgoing> {
  for (let n = from; n < to; n++) yield { key: `c${n % CUSTOMERS}`, value: JSON.stringify({ n, version }), timestamp: version * 1_000_000 + 1000 };
}

const committed = async ({ name, orders }: Shop): Promise<number> =>
  (await kafka.committed(name, orders)).reduce<number>((sum, offset) => sum + (offset ?? 0), 0);

/** The group has committed the end of each partition. */
async function processed(daemon: DaemonProcess, { name }: Shop, topic: string): Promise<void> {
  const ends = await kafka.ends(topic);
  const reached = async (): Promise<boolean> => (await kafka.committed(name, topic)).every((offset, partition) => offset === ends[partition]);
  await daemon.until(`commits at the end of ${topic}`, reached, 60_000);
}

/** Each order once, with the customer as it was then. */
async function expectJoined({ out }: Shop, count: number): Promise<void> {
  const seen = new Map<number, number>();
  const wrong: unknown[] = [];
  await kafka.forEach(out, ({ value }) => {
    const order = JSON.parse(String(value)) as { n: number; version: number; customer: { version: number } };
    seen.set(order.n, (seen.get(order.n) ?? 0) + 1);
    if (order.customer.version !== order.version) wrong.push(order);
  });
  expect(wrong).toEqual([]);
  expect(seen.size).toBe(count);
  expect([...seen.values()].every((times) => times === 1)).toBe(true);
}

describe('a stream joined with a table (S5, J2)', () => {
  it('through kill -9 while the table changes, each order comes out once, with its customer as it was', async () => {
    const shop = await openShop();
    let daemon = shop.start();
    for (const version of [1, 2]) {
      await kafka.produce(shop.customers, rows(version));
      await daemon.until(
        `the table at version ${version}`,
        async () => (await kafka.committed(shop.name, shop.customers)).reduce<number>((sum, at) => sum + (at ?? 0), 0) === version * CUSTOMERS,
      );
      const first = ((version - 1) * ORDERS) / 2;
      for (let kill = 0; kill < KILLS; kill++) {
        const before = await committed(shop);
        await kafka.produce(shop.orders, sold(first + (kill * ORDERS) / 2 / KILLS, first + ((kill + 1) * ORDERS) / 2 / KILLS, version));
        await daemon.until('progress', async () => (await committed(shop)) > before);
        await delay((kill * 37) % 100);
        await daemon.kill();
        daemon = shop.start();
      }
      await processed(daemon, shop, shop.orders);
    }
    expect((await daemon.stop()).code).toBe(0);
    await expectJoined(shop, ORDERS);
    expect(await kafka.size(shop.customers)).toBe(2 * CUSTOMERS);
    expect(await kafka.partitions(`${shop.name}-customers-changelog`)).toBe(0);
  });

  it('on an empty disk it is restored to the committed offset, and what came since is processed as input', async () => {
    const shop = await openShop(', type: versioned, history: 1h');
    const first = shop.start();
    await kafka.produce(shop.customers, rows(1));
    await processed(first, shop, shop.customers);
    await kafka.produce(shop.orders, sold(0, 100, 1));
    await processed(first, shop, shop.orders);
    expect((await first.stop()).code).toBe(0);

    rmSync(shop.scratch.path('state'), { recursive: true });
    await kafka.produce(shop.customers, rows(2));
    const again = shop.start();
    await processed(again, shop, shop.customers);
    await again.until('all of the table', async () => (await again.metric('records_in_total', { topic: shop.customers })) === CUSTOMERS);
    expect(await again.metric('restore_records_total', { store: 'customers' })).toBe(CUSTOMERS);
    // Both versions are there: of the times before the second, the first is found.
    await kafka.produce(shop.orders, [...sold(100, 200, 1), ...sold(200, 300, 2)]);
    await processed(again, shop, shop.orders);
    expect((await again.stop()).code).toBe(0);
    await expectJoined(shop, 300);
  });

  it('another number of partitions than the stream has is refused before anything runs', async () => {
    const shop = await openShop();
    const wide = await kafka.createTopic(unique('wide'), PARTITIONS + 1);
    const file = shop.scratch.file(
      'q.yaml',
      `name: ${shop.name}\nkafka: "${brokers}"\ntables: { customers: ${shop.customers} }\nfrom: ${wide}\nsteps: [{ join: customers, as: c }]\nto: ${shop.out}\n`,
    );
    const daemon = new DaemonProcess([file], { stateDir: shop.scratch.path('other') });
    expect((await daemon.exited).code).toBe(2);
    expect(daemon.said[0]).toMatch(/^error topic\/not-copartitioned: /);
    expect(daemon.said[0]).toContain(`"${shop.customers}" has 2 partitions and "${wide}" has 3`);
  });
});
