import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { RegistryServer } from '../registry/registry-server.js';
import { DaemonProcess } from './daemon-process.js';
import { KafkaData, type Stored } from './kafka-data.js';
import { OutsideClient } from './outside-client.js';
import { Scratch, unique } from './scratch.js';

const brokers = inject('brokers');
const LOGIN = { username: 'ada', password: 's3cret' };
let kafka: KafkaData;

beforeAll(async () => {
  kafka = await KafkaData.connect(brokers);
});
afterAll(() => kafka.close());

const order = (...more: object[]) => ({ type: 'record', name: 'Order', fields: [{ name: 'id', type: 'string' }, { name: 'sku', type: 'string' }, ...more] });
const pieces = { name: 'pieces', type: 'int' };
const V1 = order(pieces);
const V2 = order(pieces, { name: 'country', type: 'string', default: 'FR' });
/** No int can be made of a string: whoever reads V1 or V2 cannot read this. */
const V3 = order({ name: 'pieces', type: 'string' });
const product = (...more: object[]) => ({
  type: 'record',
  name: 'Product',
  fields: [{ name: 'name', type: 'string' }, { name: 'cents', type: 'int' }, ...more],
});
const P1 = product();
const P2 = product({ name: 'weight', type: 'double' });
const LINE = {
  type: 'object',
  properties: { order: { type: 'string' }, product: { type: 'string' }, cents: { type: 'integer', minimum: 0 }, country: { type: 'string' } },
  required: ['order', 'product', 'cents', 'country'],
  additionalProperties: false,
};

interface Around {
  readonly registry: RegistryServer;
  readonly name: string;
  readonly orders: string;
  readonly products: string;
  readonly lines: string;
  readonly dead: string;
  readonly file: string;
  readonly stateDir: string;
}

/** Orders in avro, joined with a global table of products in avro, to lines in json-schema. */
async function enrichment(): Promise<Around> {
  const registry = await RegistryServer.start(LOGIN);
  onTestFinished(() => registry.close());
  const scratch = new Scratch();
  const name = unique('enrichment');
  const [orders, products, lines, dead] = await Promise.all([
    kafka.createTopic(unique('orders'), 2),
    kafka.createTopic(unique('products'), 2),
    kafka.createTopic(unique('lines')),
    kafka.createTopic(unique('dead')),
  ]);
  scratch.file('order.avsc', JSON.stringify(V2));
  scratch.file('line.json', JSON.stringify(LINE));
  const file = scratch.file(
    'p.yaml',
    `name: ${name}
kafka: { brokers: "${brokers}", registry: { url: "${registry.url}", username: ${LOGIN.username}, passwordFile: ./password } }
deadLetter: ${dead}
tables:
  products: { topic: ${products}, global: true, value: { format: avro, subject: ${products}-value } }
from: { topic: ${orders}, value: { format: avro, subject: ${orders}-value, schema: ./order.avsc } }
steps:
  - join: products
    by: value.sku
    as: product
  - map: { order: value.id, product: value.product.name, cents: value.pieces * value.product.cents, country: value.country }
to: { topic: ${lines}, value: { format: json-schema, subject: ${lines}-value, schema: ./line.json } }
`,
  );
  scratch.file('password', `${LOGIN.password}\n`);
  return { registry, name, orders, products, lines, dead, file, stateDir: scratch.path('state') };
}

/** The headers that say why a record is a dead letter. */
function reasons({ headers = [] }: Stored): Record<string, string> {
  const all = Object.assign({}, ...headers) as Record<string, Buffer>;
  return Object.fromEntries(['message', 'topic', 'partition', 'offset'].map((name) => [name, String(all[`__streams.errors.${name}`])]));
}

describe('an avro topic of another client', () => {
  it('is joined with a global table and written as json-schema, while schemas and the table change', async () => {
    const { registry, name, orders, products, lines, dead, file, stateDir } = await enrichment();
    const reader = new OutsideClient(registry, `Basic ${Buffer.from(`${LOGIN.username}:${LOGIN.password}`).toString('base64')}`);
    const read = async (): Promise<unknown[]> => Promise.all((await kafka.read(lines)).map(({ value }) => reader.json(value)));
    const one = registry.add(`${orders}-value`, V1);
    const named = registry.add(`${products}-value`, P1);
    await kafka.produce(
      products,
      [...Array(50).keys()].map((i) => ({ key: `s${i}`, value: OutsideClient.avro(named, P1, { name: `product ${i}`, cents: 100 + i }) })),
    );
    // The last ones name products that do not exist: inner joins drop them.
    await kafka.produce(
      orders,
      [...Array(520).keys()].map((i) => ({
        key: `o${i}`,
        value: OutsideClient.avro(one, V1, { id: `o${i}`, sku: i < 500 ? `s${i % 50}` : 'none', pieces: 2 }),
      })),
    );
    const daemon = await DaemonProcess.ready([file], { stateDir });
    await kafka.untilCommitted(name, orders);
    const first = await read();
    expect(first).toHaveLength(500);
    expect(first).toContainEqual({ order: 'o499', product: 'product 49', cents: 298, country: 'FR' });

    // A field is added with a default, the table changes under a schema of its own, and the old ones are still in use.
    const two = registry.add(`${orders}-value`, V2);
    const weighed = registry.add(`${products}-value`, P2);
    await kafka.produce(products, [{ key: 's1', value: OutsideClient.avro(weighed, P2, { name: 'new name', cents: 5, weight: 0.5 }) }]);
    await daemon.until('the change of the table', async () => (await daemon.metric('global_table_records_total', { store: 'products' })) === 1);
    await kafka.produce(orders, [
      { value: OutsideClient.avro(two, V2, { id: 'new', sku: 's1', pieces: 3, country: 'DE' }), partition: 0 },
      { value: OutsideClient.avro(one, V1, { id: 'old', sku: 's2', pieces: 1 }), partition: 0 },
    ]);

    // One that cannot be read as ours, and a value that the output's schema refuses; around them all goes on.
    const three = registry.add(`${orders}-value`, V3);
    const [from = 0] = await kafka.ends(orders);
    await kafka.produce(orders, [
      { key: 'bad', value: OutsideClient.avro(three, V3, { id: 'bad', sku: 's2', pieces: 'two' }), partition: 0 },
      { key: 'less', value: OutsideClient.avro(two, V2, { id: 'less', sku: 's2', pieces: -1, country: 'DE' }), partition: 0 },
      { key: 'good', value: OutsideClient.avro(two, V2, { id: 'good', sku: 's3', pieces: 1, country: 'DE' }), partition: 0 },
    ]);
    await kafka.untilCommitted(name, orders);
    expect((await read()).slice(500)).toEqual([
      { order: 'new', product: 'new name', cents: 15, country: 'DE' },
      { order: 'old', product: 'product 2', cents: 102, country: 'FR' },
      { order: 'good', product: 'product 3', cents: 103, country: 'DE' },
    ]);
    const letters = await kafka.read(dead);
    expect(letters.map(({ key }) => String(key))).toEqual(['bad', 'less']);
    expect(letters[0]?.value).toEqual(OutsideClient.avro(three, V3, { id: 'bad', sku: 's2', pieces: 'two' }));
    const place = (offset: number) => ({ topic: orders, partition: '0', offset: String(offset) });
    expect(letters.map(reasons)).toEqual([
      { ...place(from), message: expect.stringContaining(`what was written with the schema ${three} cannot be read: `) },
      { ...place(from + 1), message: expect.stringContaining('cents: must be >= 0') },
    ]);
    const logged = daemon.log.filter(({ msg }) => msg === 'record sent to the dead letter topic');
    expect(logged.map(({ code, topic, partition, offset }) => ({ code, topic, partition, offset }))).toEqual([
      { code: 'record/deserialize', topic: orders, partition: 0, offset: from },
      { code: 'record/serialize', topic: orders, partition: 0, offset: from + 1 },
    ]);
    expect(registry.requests.filter((request) => request === `GET /schemas/ids/${three}`)).toHaveLength(1);
    expect(await daemon.stop()).toEqual({ code: 0, signal: null });
  });
});

describe('a table in a schema registry’s format', () => {
  it('is looked up after a restart, whatever schemas its rows were written with', async () => {
    const registry = await RegistryServer.start();
    onTestFinished(() => registry.close());
    const scratch = new Scratch();
    const name = unique('priced');
    const [sales, products, priced] = await Promise.all(['sales', 'products', 'priced'].map((prefix) => kafka.createTopic(unique(prefix))));
    const subject = `${products}-value`;
    scratch.file('product.avsc', JSON.stringify(P1));
    const file = scratch.file(
      'p.yaml',
      `name: ${name}
kafka: { brokers: "${brokers}", registry: "${registry.url}" }
tables:
  products: { topic: ${products}, value: { format: avro, subject: ${subject}, schema: ./product.avsc } }
from: ${sales}
steps:
  - join: products
    as: product
to: ${priced}
`,
    );
    const [first, second] = [registry.add(subject, P1), registry.add(subject, P2)];
    await kafka.produce(products as string, [
      { key: 'a', value: OutsideClient.avro(first, P1, { name: 'A', cents: 1 }) },
      { key: 'b', value: OutsideClient.avro(second, P2, { name: 'B', cents: 2, weight: 3 }) },
    ]);
    const sold = async (n: number): Promise<unknown[]> => {
      await kafka.produce(
        sales as string,
        ['a', 'b'].map((key) => ({ key, value: JSON.stringify({ n }) })),
      );
      await kafka.untilCommitted(name, sales as string);
      return (await kafka.read(priced as string)).slice(-2).map(({ value }) => JSON.parse(String(value)));
    };
    const expected = (n: number): unknown[] => [
      { n, product: { name: 'A', cents: 1 } },
      { n, product: { name: 'B', cents: 2 } },
    ];
    const stateDir = scratch.path('state');
    const daemon = await DaemonProcess.ready([file], { stateDir });
    await kafka.untilCommitted(name, products as string);
    expect(await sold(1)).toEqual(expected(1));
    expect(await daemon.stop()).toEqual({ code: 0, signal: null });
    const asked = registry.requests.length;
    const next = await DaemonProcess.ready([file], { stateDir });
    expect(await sold(2)).toEqual(expected(2));
    expect(registry.requests.slice(asked).sort()).toEqual([`GET /schemas/ids/${first}`, `GET /schemas/ids/${second}`]);
    expect(await next.stop()).toEqual({ code: 0, signal: null });
  });
});
