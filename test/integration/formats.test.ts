import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { ensureDebianPackages } from '../../scripts/debian.mjs';
import { RegistryServer } from '../registry/registry-server.js';
import { DaemonProcess } from './daemon-process.js';
import { eventually } from './eventually.js';
import { Authority } from './kafka/paths/certificates.js';
import { KafkaData } from './kafka-data.js';
import { OutsideClient } from './outside-client.js';
import { Scratch, unique } from './scratch.js';

const brokers = inject('brokers');
let kafka: KafkaData;

beforeAll(async () => {
  kafka = await KafkaData.connect(brokers);
});
afterAll(() => kafka.close());

const order = (...more: object[]) => ({ type: 'record', name: 'Order', fields: [{ name: 'id', type: 'string' }, { name: 'cents', type: 'long' }, ...more] });
const V1 = order();
const V2 = order({ name: 'country', type: 'string', default: 'FR' });
/** Has no id: whoever reads the others cannot read this. */
const V3 = { type: 'record', name: 'Order', fields: [{ name: 'number', type: 'string' }] };
const INVOICE = { type: 'object', properties: { total: { type: 'number' } }, required: ['total'] };
const framed = OutsideClient.avro;

type Started = Parameters<typeof RegistryServer.start>;

async function registryServer(...given: Started): Promise<RegistryServer> {
  const registry = await RegistryServer.start(...given);
  onTestFinished(() => registry.close());
  return registry;
}

/** Behind TLS, by an authority that no system knows: the server, and the setting that trusts it. */
async function registryWithTls(login: Started[0]): Promise<{ registry: RegistryServer; tls: string }> {
  await ensureDebianPackages(['openssl'], 'make certificates for tests');
  const authority = new Authority(new Scratch().folder, 'registry');
  return { registry: await registryServer(login, authority.sign('registry')), tls: `, tls: { caFile: "${authority.certificate.file}" }` };
}

interface Setup {
  readonly registry: RegistryServer;
  readonly login?: string;
  readonly reader?: string;
  readonly more?: string;
}

/** A pipeline from avro to json-schema; resolves to its file and its topics. */
async function invoices({ registry, login = '', reader = '', more = '' }: Setup) {
  const scratch = new Scratch();
  const [name, from, to] = [unique('invoices'), await kafka.createTopic(unique('orders')), await kafka.createTopic(unique('made'))];
  scratch.file('invoice.json', JSON.stringify(INVOICE));
  scratch.file('order.avsc', JSON.stringify(V2));
  const file = scratch.file(
    'p.yaml',
    `name: ${name}
kafka: { brokers: "${brokers}", registry: { url: "${registry.url}"${login} } }
${more}
from: { topic: ${from}, value: { format: avro, subject: ${from}-value${reader} } }
steps:
  - map: { id: value.id, total: value.cents / 100, country: "value.country ?? 'none'" }
to: { topic: ${to}, value: { format: json-schema, subject: ${to}-value, schema: ./invoice.json } }
`,
  );
  return { name, from, to, file, stateDir: scratch.path('state') };
}

/** What was written, without the frame. */
async function written(topic: string): Promise<unknown[]> {
  return (await kafka.read(topic)).map(({ value }) => JSON.parse(String(value?.subarray(5))));
}

describe('avro with the number of a schema in front', () => {
  it('is read, mapped and written as json-schema, while a writer’s schema evolves', async () => {
    const { registry, tls } = await registryWithTls({ username: 'ada', password: 's3cret' });
    const { name, from, to, file, stateDir } = await invoices({ registry, login: `, username: ada, password: s3cret${tls}`, reader: ', schema: ./order.avsc' });
    const one = registry.add(`${from}-value`, V1);
    await kafka.produce(
      from,
      [...Array(500).keys()].map((i) => ({ key: `k${i}`, value: framed(one, V1, { id: `o${i}`, cents: i }) })),
    );
    const daemon = await DaemonProcess.ready([file], { stateDir });
    await kafka.untilCommitted(name, from);
    const first = await written(to);
    expect(first).toHaveLength(500);
    expect(first[499]).toEqual({ id: 'o499', total: 4.99, country: 'FR' });

    const two = registry.add(`${from}-value`, V2);
    const value = { id: 'new', cents: 100, country: 'DE' };
    await kafka.produce(from, [{ value: framed(two, V2, value) }, { value: framed(one, V1, { id: 'old', cents: 200 }) }]);
    await kafka.untilCommitted(name, from);
    expect((await written(to)).slice(500)).toEqual([
      { id: 'new', total: 1, country: 'DE' },
      { id: 'old', total: 2, country: 'FR' },
    ]);
    // The number in front of what was written is that of our own schema, which the daemon registered.
    const [output] = await kafka.read(to);
    const invoice = registry.add(`${to}-value`, INVOICE, 'JSON');
    expect(output?.value?.subarray(0, 5)).toEqual(Buffer.from([0, 0, 0, 0, invoice]));
    expect(registry.requests.filter((request) => request === `GET /schemas/ids/${two}`)).toHaveLength(1);
    expect(await daemon.stop()).toEqual({ code: 0, signal: null });
  });

  it('waits while the registry is down, known schemas go on, and nothing is skipped or lost', async () => {
    const registry = await registryServer();
    const { name, from, to, file, stateDir } = await invoices({ registry, more: 'onError: skip' });
    const one = registry.add(`${from}-value`, V1);
    const daemon = await DaemonProcess.ready([file], { stateDir });
    await kafka.produce(from, [{ value: framed(one, V1, { id: 'a', cents: 1 }) }]);
    await kafka.untilCommitted(name, from);
    const two = registry.add(`${from}-value`, V2);
    await registry.close();
    const known = { value: framed(one, V1, { id: 'known', cents: 1 }) };
    await kafka.produce(from, [known, { value: framed(two, V2, { id: 'b', cents: 2, country: 'DE' }) }, { value: framed(one, V1, { id: 'c', cents: 3 }) }]);
    await daemon.until('a record that waits', () => daemon.log.some((line) => line.code === 'registry/unreachable' && line.msg.includes('records wait')));
    const ids = async (): Promise<unknown[]> => (await written(to)).map((value) => (value as { id: string }).id);
    await daemon.until('the record before it', async () => (await ids()).length === 2);
    expect(await ids()).toEqual(['a', 'known']);
    expect((await daemon.get('/live'))?.status).toBe(200);
    // It can be stopped meanwhile, and the next one has what it left.
    expect(await daemon.stop()).toEqual({ code: 0, signal: null });
    await registry.open();
    const next = await DaemonProcess.ready([file], { stateDir });
    await kafka.untilCommitted(name, from);
    expect(await ids()).toEqual(['a', 'known', 'b', 'c']);
    // And it goes on by itself when the registry is back.
    const three = registry.add(`${from}-value`, order({ name: 'note', type: 'string', default: '' }));
    await registry.close();
    await kafka.produce(from, [{ value: framed(three, order({ name: 'note', type: 'string' }), { id: 'd', cents: 4, note: 'x' }) }]);
    await next.until('a record that waits', () => next.log.some((line) => line.code === 'registry/unreachable' && line.msg.includes('records wait')));
    await registry.open();
    await kafka.untilCommitted(name, from);
    expect(await ids()).toEqual(['a', 'known', 'b', 'c', 'd']);
    expect(await next.stop()).toEqual({ code: 0, signal: null });
  });

  it('is an error of the record where there is no schema of that number, and where a value does not fit', async () => {
    const registry = await registryServer();
    const dead = await kafka.createTopic(unique('dead'));
    const { name, from, to, file, stateDir } = await invoices({ registry, more: `deadLetter: ${dead}` });
    const one = registry.add(`${from}-value`, V1);
    await kafka.produce(from, [{ value: framed(4711, V1, { id: 'a', cents: 1 }) }, { value: '{"id":"a"}' }, { value: framed(one, V1, { id: 'b', cents: 1 }) }]);
    const daemon = await DaemonProcess.ready([file], { stateDir });
    await kafka.untilCommitted(name, from);
    expect(await written(to)).toEqual([{ id: 'b', total: 0.01, country: 'none' }]);
    const letters = await kafka.read(dead);
    const said = letters.map(({ headers = [] }) => Object.values(Object.assign({}, ...headers)).join(' '));
    expect(said[0]).toContain('the schema registry has no schema with the number 4711');
    expect(said[1]).toContain('the bytes do not begin with a zero and the number of a schema');
    expect(letters).toHaveLength(2);
    expect(await daemon.stop()).toEqual({ code: 0, signal: null });
  });
});

describe('a writer’s schema that ours cannot read', () => {
  it('stops at the record with its place and code, everything before it committed, or is skipped', async () => {
    const registry = await registryServer();
    const { name, from, to, file, stateDir } = await invoices({ registry, reader: ', schema: ./order.avsc' });
    const one = registry.add(`${from}-value`, V1);
    const daemon = await DaemonProcess.ready([file], { stateDir });
    await kafka.produce(from, [{ value: framed(one, V1, { id: 'a', cents: 1 }) }]);
    await kafka.untilCommitted(name, from);
    const three = registry.add(`${from}-value`, V3);
    await kafka.produce(
      from,
      ['b', 'bad', 'c', 'bad'].map((id) => ({ value: id === 'bad' ? framed(three, V3, { number: '7' }) : framed(one, V1, { id, cents: 1 }) })),
    );
    expect(await daemon.exited).toEqual({ code: 1, signal: null });
    const said = daemon.said.join('\n');
    expect(said).toContain(`record/deserialize: ${from}-0@2: `);
    expect(said).toContain(`what was written with the schema ${three} cannot be read: `);
    expect(await kafka.committed(name, from)).toEqual([2]);
    const ids = async (): Promise<unknown[]> => (await written(to)).map((value) => (value as { id: string }).id);
    expect(await ids()).toEqual(['a', 'b']);

    writeFileSync(file, `${readFileSync(file, 'utf8')}onError: skip\n`);
    const skipping = await DaemonProcess.ready([file], { stateDir });
    await kafka.untilCommitted(name, from);
    expect(await ids()).toEqual(['a', 'b', 'c']);
    expect(await skipping.metric('errors_total', { stage: 'deserialize', policy: 'skip' })).toBe(2);
    expect(await skipping.stop()).toEqual({ code: 0, signal: null });
  });
});

describe('a registry at the start', () => {
  it('is not asked by check', async () => {
    const registry = await registryServer();
    const { file } = await invoices({ registry });
    const { stdout } = await promisify(execFile)(process.execPath, [path.resolve(import.meta.dirname, '../../dist/kstreamd.cjs'), 'check', file]);
    expect(stdout).toContain('ok');
    expect(registry.requests).toEqual([]);
  });

  it('that is down is waited for, then exit 3 with what to do', async () => {
    const [registry, gone] = [await registryServer(), await registryServer()];
    const hopeless = await invoices({ registry: gone });
    await gone.close();
    const never = new DaemonProcess([hopeless.file], { stateDir: hopeless.stateDir });
    const { from, file, stateDir } = await invoices({ registry });
    registry.add(`${from}-value`, V1);
    await registry.close();
    const late = new DaemonProcess([file], { stateDir });
    await eventually('a first try', () => late.log.some((line) => line.code === 'registry/unreachable'));
    await registry.open();
    await late.until('ready', async () => (await late.get('/ready'))?.status === 200);
    expect(await late.stop()).toEqual({ code: 0, signal: null });
    expect(await never.exited).toEqual({ code: 3, signal: null });
    expect(never.said.join('\n')).toContain('registry/unreachable');
    expect(never.said.join('\n')).toContain('Start the registry, or correct kafka.registry.');
  });

  it('that lacks the subject, refuses the schema or the login, or cannot be trusted, ends the start', async () => {
    const { registry, tls } = await registryWithTls({ username: 'ada', password: 's3cret' });
    const login = `, username: ada, password: s3cret${tls}`;
    const missing = await invoices({ registry, login });
    const without = new DaemonProcess([missing.file], { stateDir: missing.stateDir });
    expect((await without.exited).code).toBe(2);
    expect(without.said.join('\n')).toContain(`registry/unknown-subject: the schema registry has no subject "${missing.from}-value"`);

    const refused = await invoices({ registry, login, reader: ', schema: ./order.avsc' });
    registry.frozen.add(`${refused.to}-value`);
    const incompatible = new DaemonProcess([refused.file], { stateDir: refused.stateDir });
    expect((await incompatible.exited).code).toBe(2);
    expect(incompatible.said.join('\n')).toContain('registry/incompatible');

    const wrong = await invoices({ registry, login: `, username: ada, password: wr0ng${tls}` });
    const stranger = new DaemonProcess([wrong.file], { stateDir: wrong.stateDir });
    expect((await stranger.exited).code).toBe(3);
    expect(stranger.said.join('\n')).toContain('registry/refused');
    expect([...stranger.said, ...stranger.log.map((line) => JSON.stringify(line))].join('\n')).not.toContain('wr0ng');

    const { requests } = registry;
    requests.length = 0;
    const untrusted = await invoices({ registry, login: login.replace(tls, '') });
    const careful = new DaemonProcess([untrusted.file], { stateDir: untrusted.stateDir });
    expect((await careful.exited).code).toBe(3);
    expect(careful.said.join('\n')).toContain('registry/tls: the TLS connection to the schema registry at https://127.0.0.1:');
    expect(requests).toEqual([]);
  });
});
