import { describe, expect, inject, it } from 'vitest';
import { askStores } from './ask-stores.js';
import { DaemonProcess } from './daemon-process.js';
import { KafkaData, type Outgoing } from './kafka-data.js';
import { Scratch, unique } from './scratch.js';

const PARTITIONS = 2;

const brokers = inject('brokers');
const kafka = await KafkaData.ofFile(brokers);

interface Shop {
  readonly customers: string;
  readonly out: string;
  readonly start: () => Promise<DaemonProcess>;
  /** Waits until all of the table is processed, and gives its rows. */
  readonly rows: (daemon: DaemonProcess) => Promise<Record<string, unknown>>;
  /** What each of these customers' orders meets. */
  readonly met: (keys: readonly string[]) => Promise<unknown[]>;
}

async function openShop(config: Readonly<Record<string, string>> = {}): Promise<Shop> {
  const scratch = new Scratch();
  const name = unique('shop');
  const customers = await kafka.createTopic(unique('customers'), PARTITIONS, { 'cleanup.policy': 'compact', ...config });
  const [orders, out] = [await kafka.createTopic(unique('orders'), PARTITIONS), await kafka.createTopic(unique('out'), PARTITIONS)];
  const file = scratch.file(
    'p.yaml',
    `name: ${name}
kafka: "${brokers}"
tables: { customers: ${customers} }
from: ${orders}
steps:
  - join: customers
    as: customer
    kind: left
to: ${out}
`,
  );
  const rows = async (daemon: DaemonProcess): Promise<Record<string, unknown>> => {
    await daemon.until('the table', () =>
      kafka.untilCommitted(name, customers, 500).then(
        () => true,
        () => false,
      ),
    );
    const { body } = await askStores(daemon, '/customers?limit=1000');
    return Object.fromEntries(body.entries.map(({ key, value }: { key: string; value: unknown }) => [key, value]));
  };
  const met = async (keys: readonly string[]): Promise<unknown[]> => {
    const before = await kafka.ends(out);
    await kafka.produce(
      orders,
      keys.map((key) => ({ key, value: '{}' })),
    );
    await kafka.untilCommitted(name, orders);
    const found = new Map<string, unknown>();
    for (const { key, value, partition, offset } of await kafka.read(out)) {
      if (offset >= (before[partition] as number)) found.set(String(key), JSON.parse(String(value)).customer);
    }
    return keys.map((key) => found.get(key));
  };
  return { customers, out, start: () => DaemonProcess.ready([file], { stateDir: scratch.path('state') }), rows, met };
}

function* versions(from: number, to: number, version: number): Iterable<Outgoing> {
  for (let i = from; i < to; i++) yield { key: `c${i}`, value: JSON.stringify(version) };
}

const table = (from: number, to: number, version: number): Record<string, unknown> =>
  Object.fromEntries(Array.from({ length: to - from }, (_, i) => [`c${from + i}`, version]));

const rebuilt = (daemon: DaemonProcess, reason: string): Promise<number | undefined> => daemon.metric('restore_rebuilds_total', { store: 'customers', reason });

describe('a partitioned table is built anew from its topic (S4, S5)', () => {
  it('where the topic was deleted and made again while nobody ran', async () => {
    const { customers, start, rows, met } = await openShop();
    await kafka.produce(customers, versions(0, 40, 1));
    const first = await start();
    expect(await rows(first)).toEqual(table(0, 40, 1));
    expect(await met(['c0', 'c30'])).toEqual([1, 1]);
    expect((await first.stop()).code).toBe(0);
    await kafka.deleteTopic(customers);
    await kafka.createTopic(customers, PARTITIONS, { 'cleanup.policy': 'compact' });
    // More than it had before: its ends alone tell nothing.
    await kafka.produce(customers, versions(20, 120, 2));
    const second = await start();
    expect(await rows(second)).toEqual(table(20, 120, 2));
    expect(await met(['c0', 'c30'])).toEqual([null, 2]);
    expect(await rebuilt(second, 'other-topic')).toBe(PARTITIONS);
    expect((await second.stop()).code).toBe(0);
  });

  it('where the topic no longer holds what followed its position', async () => {
    const { customers, start, rows, met } = await openShop({ 'cleanup.policy': 'compact,delete' });
    await kafka.produce(customers, versions(0, 40, 1));
    const first = await start();
    expect(await rows(first)).toEqual(table(0, 40, 1));
    expect((await first.stop()).code).toBe(0);
    await kafka.produce(customers, [...versions(0, 20, 2), ...versions(0, 40, 3)]);
    await kafka.produce(customers, versions(30, 40, 4));
    const ends = await kafka.ends(customers);
    // Only the last five of each partition are left.
    await kafka.deleteRecordsBefore(
      customers,
      ends.map((end) => end - 5),
    );
    const kept = await kafka.read(customers);
    expect(kept).toHaveLength(5 * PARTITIONS);
    const left = Object.fromEntries(kept.map(({ key, value }) => [String(key), JSON.parse(String(value))]));
    const second = await start();
    expect(await rows(second)).toEqual(left);
    expect(await met(['c0', 'c39'])).toEqual([left.c0 ?? null, 4]);
    expect((await second.stop()).code).toBe(0);
  });

  it('where it is so old that deletions may be gone from the topic', async () => {
    const { customers, start, rows, met } = await openShop({ 'delete.retention.ms': '100' });
    await kafka.produce(customers, versions(0, 40, 1));
    const first = await start();
    expect(await rows(first)).toEqual(table(0, 40, 1));
    expect((await first.stop()).code).toBe(0);
    await kafka.produce(customers, [...Array.from({ length: 20 }, (_, i) => ({ key: `c${i}`, value: null })), ...versions(20, 60, 2)]);
    const second = await start();
    expect(await rows(second)).toEqual(table(20, 60, 2));
    expect(await met(['c0', 'c30'])).toEqual([null, 2]);
    expect(await rebuilt(second, 'too-old')).toBe(PARTITIONS);
    expect((await second.stop()).code).toBe(0);
  });
});
