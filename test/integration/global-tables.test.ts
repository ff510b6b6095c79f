import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { DaemonProcess } from './daemon-process.js';
import { eventually } from './eventually.js';
import { KafkaData } from './kafka-data.js';
import { Scratch, unique } from './scratch.js';

const PARTITIONS = 4;
const KEYS = 20_000;
/** Every key twice: more than one read, and more than one write, of each partition. */
const RECORDS = 2 * KEYS;

const brokers = inject('brokers');
let kafka: KafkaData;

beforeAll(async () => {
  kafka = await KafkaData.connect(brokers);
});

afterAll(() => kafka.close());

interface Enrichment {
  readonly scratch: Scratch;
  readonly file: string;
  readonly name: string;
  readonly from: string;
  readonly to: string;
  readonly products: string;
}

/** Each record becomes what the table has for its key. */
async function enrichment(): Promise<Enrichment> {
  const scratch = new Scratch();
  const name = unique('enriching');
  const [from, to] = [await kafka.createTopic(unique('in'), 2), await kafka.createTopic(unique('out'), 2)];
  const products = await kafka.createTopic(unique('products'), PARTITIONS, { 'cleanup.policy': 'compact' });
  const text = `name: ${name}
kafka: { brokers: "${brokers}" }
tables:
  products: { topic: ${products}, value: string, global: true }
from: ${from}
steps:
  - join: products
    by: key
    as: product
    kind: left
to: ${to}
`;
  return { scratch, file: scratch.file('p.yaml', text), name, from, to, products };
}

const textOf = (key: number, round: number): string => `product ${key} of round ${round} `.padEnd(100, '.');

/** Two rounds of all keys; every tenth key is gone after the second. */
function* products(): Generator<{ key: string; value: string | null }> {
  for (let i = 0; i < RECORDS; i++) {
    const [key, round] = [i % KEYS, Math.floor(i / KEYS)];
    yield { key: `k${key}`, value: round === 1 && key % 10 === 0 ? null : textOf(key, round) };
  }
}

const expected = (key: number): string | null => (key % 10 === 0 ? null : textOf(key, 1));

/** Asks for keys through both partitions of the input, and so on both instances, and gives the answers that each partition got by key. */
async function answers({ name, from, to }: Enrichment, keys: readonly string[]): Promise<ReadonlyMap<string, unknown>[]> {
  const before = await kafka.ends(to);
  await kafka.produce(
    from,
    [0, 1].flatMap((partition) => keys.map((key) => ({ key, value: JSON.stringify({ asked: partition }), partition }))),
  );
  await kafka.untilCommitted(name, from);
  const found = [new Map<string, unknown>(), new Map<string, unknown>()];
  for (const { key, value, partition, offset } of await kafka.read(to)) {
    if (offset < (before[partition] as number)) continue;
    const { asked, product } = JSON.parse(String(value)) as { asked: 0 | 1; product: unknown };
    found[asked]?.set(String(key), product);
  }
  return found;
}

interface Table {
  readonly state: string;
  readonly directory: string;
  readonly partitions: readonly { readonly partition: number; readonly position: number }[];
}

async function statusOf(daemon: DaemonProcess): Promise<Table> {
  const url = String(daemon.log.find(({ msg }) => msg.startsWith('answering'))?.url);
  const status = (await (await fetch(`${url}/status`)).json()) as { applications: { globals: Table[] }[] };
  return status.applications[0]?.globals[0] as Table;
}

const positions = async (daemon: DaemonProcess): Promise<number[]> => (await statusOf(daemon)).partitions.map(({ position }) => position);
/** Records read before anything was processed, and those taken up since. */
const loaded = async (daemon: DaemonProcess): Promise<number> => (await daemon.metric('restore_records_total', { store: 'products' })) ?? 0;
const followed = async (daemon: DaemonProcess): Promise<number> => (await daemon.metric('global_table_records_total', { store: 'products' })) ?? 0;

describe('S6: a global table on two instances with one state directory', () => {
  it('each has all partitions before it processes, a restart reads the tail only', async () => {
    const all = await enrichment();
    const { scratch, file, from, products: topic } = all;
    const stateDir = scratch.path('state');
    const start = (): Promise<DaemonProcess> => DaemonProcess.ready([file], { stateDir });
    await kafka.produce(topic, products());
    // They wait when the first instance comes: none may be answered before it has read everything.
    const early = Array.from({ length: 200 }, (_, i) => i * 97);
    const waiting = early.map((key) => ({ key: `k${key}`, value: '{ "asked": 0 }' }));
    await kafka.produce(from, waiting);
    const ends = await kafka.ends(topic);
    expect(Math.min(...ends)).toBeGreaterThan(5_000);

    const [one, two] = await Promise.all([start(), start()]);
    await kafka.untilCommitted(all.name, from);
    const first = new Map((await kafka.read(all.to)).map(({ key, value }) => [String(key), JSON.parse(String(value)).product as unknown]));
    expect(first.size).toBe(200);
    for (const key of early) expect(first.get(`k${key}`), `k${key}`).toBe(expected(key));
    await eventually('a task each', async () => (await one.metric('tasks')) === 1 && (await two.metric('tasks')) === 1);
    const asked = Array.from({ length: 300 }, (_, i) => i * 61);
    for (const found of await answers(
      all,
      asked.map((key) => `k${key}`),
    )) {
      expect(found.size).toBe(300);
      for (const key of asked) expect(found.get(`k${key}`), `k${key}`).toBe(expected(key));
    }
    for (const daemon of [one, two]) expect([await loaded(daemon), await positions(daemon)]).toEqual([RECORDS, ends]);
    const directories = await Promise.all([one, two].map(async (daemon) => (await statusOf(daemon)).directory));
    expect(new Set(directories).size).toBe(2);
    expect(directories).toContain(`${stateDir}/${all.name}/@global/products`);

    await kafka.produce(topic, [{ key: 'k0', value: 'back' }]);
    await eventually('the update on both', async () => (await followed(one)) === 1 && (await followed(two)) === 1);
    for (const found of await answers(all, ['k0', 'k1']))
      expect([...found]).toEqual([
        ...new Map([
          ['k0', 'back'],
          ['k1', expected(1)],
        ] as const),
      ]);

    expect((await two.stop()).code).toBe(0);
    await kafka.produce(
      topic,
      Array.from({ length: 300 }, (_, i) => ({ key: `late${i}`, value: 'late' })),
    );
    const again = await start();
    expect([await loaded(again), await positions(again)]).toEqual([300, await kafka.ends(topic)]);
    await eventually('the same on the other', async () => (await followed(one)) === 301);
    await eventually('a task each again', async () => (await one.metric('tasks')) === 1 && (await again.metric('tasks')) === 1);
    for (const found of await answers(all, ['late299', 'k0', 'k1'])) expect([...found.values()].sort()).toEqual(['back', 'late', expected(1)]);

    // Killed, it reads again at most what it had not written yet. The group notices later, but the table is there before it.
    await again.kill();
    const third = new DaemonProcess([file], { stateDir });
    await third.logged('global table complete');
    expect(await loaded(third)).toBeLessThanOrEqual(300);
    expect(await positions(third)).toEqual(await kafka.ends(topic));
    for (const daemon of [one, two, again, third]) expect(daemon.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('a topic made again while the instance was down, and a topic that is not there', async () => {
    const all = await enrichment();
    const { scratch, file, products: topic } = all;
    await kafka.produce(topic, products());
    const options = { stateDir: scratch.path('state') };
    const daemon = await DaemonProcess.ready([file], options);
    expect((await answers(all, ['k1']))[0]?.get('k1')).toBe(expected(1));
    expect((await daemon.stop()).code).toBe(0);
    await kafka.deleteTopic(topic);
    const without = new DaemonProcess([file], options);
    expect((await without.exited).code).toBe(2);
    expect(without.said.join('\n')).toContain(`the topic "${topic}" of the global table "products" does not exist`);

    await kafka.createTopic(topic, PARTITIONS + 1, { 'cleanup.policy': 'compact' });
    await kafka.produce(topic, [{ key: 'k2', value: 'second life' }]);
    const next = await DaemonProcess.ready([file], options);
    const [found] = await answers(all, ['k1', 'k2']);
    expect([found?.get('k1'), found?.get('k2')]).toEqual([null, 'second life']);
    expect(await loaded(next)).toBe(1);
    expect(await positions(next)).toEqual(await kafka.ends(topic));
  });
});
