import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureDebianPackages } from '../../../../scripts/debian.mjs';
import { KafkaCluster } from '../../../../scripts/kafka-cluster.mjs';
import { OutputBatch } from '../../../../src/core/output-batch.js';
import type { KafkaOptions } from '../../../../src/kafka/config.js';
import type { TransportPath } from '../../../../src/kafka/path.js';
import type { KafkaTransport } from '../../../../src/kafka/transport.js';
import { CountingMember, output, unique } from '../../../conformance/reading.js';
import { PATHS, transportOn } from './both.js';
import { Authority } from './certificates.js';

const PASSWORD = 'secret of the key';

const folder = mkdtempSync(path.join(tmpdir(), 'kstreamd-certificates-'));
let cluster: KafkaCluster;
let authority: Authority;
let stranger: Authority;

beforeAll(async () => {
  await ensureDebianPackages(['openssl'], 'make certificates for tests');
  authority = new Authority(folder, 'known');
  stranger = new Authority(folder, 'stranger');
  const tls = { keystore: authority.sign('broker').file, truststore: authority.certificate.file };
  cluster = await KafkaCluster.start({ name: `security-${process.pid}`, owned: true, shortLived: true, sasl: true, tls });
});

afterAll(async () => {
  await cluster?.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** What a client of the cluster's TLS listener gives, with a client's certificate unless told. */
function tls(more: Partial<NonNullable<KafkaOptions['tls']>> = authority.sign('client')): KafkaOptions {
  return { brokers: cluster.tls?.brokers as string, tls: { ca: authority.certificate.pem, ...more } };
}

function sasl(mechanism: 'plain' | 'scram-sha-512'): KafkaOptions {
  const { brokers, user, password } = cluster.sasl as NonNullable<KafkaCluster['sasl']>;
  return { brokers, sasl: { mechanism, username: user, password } };
}

/** Makes a topic, sends, joins, reads, commits and leaves. */
async function goThrough(way: TransportPath, options: KafkaOptions): Promise<void> {
  const transport = transportOn(way, options);
  const [admin, sink, { member, reader }] = [await transport.admin(), await transport.sink(), await transport.member({ groupId: unique('secured') })];
  const topic = unique('secured');
  await admin.create({ name: topic, partitions: 1, config: {} });
  const values = Array.from({ length: 1_000 }, (_, i) => `${i}`);
  await sink.send(OutputBatch.of(...values.map((value) => output({ topic, value: Buffer.from(value) }))));
  await sink.flush();
  const counting = new CountingMember(member, reader, [topic]);
  await counting.join();
  await counting.reading.until(() => counting.reading.records.length === 1_000);
  expect(counting.reading.values()).toEqual(values);
  const at = { topic, partition: 0, offset: 1_000, metadata: 'm' };
  await member.commit([at]);
  expect(await member.committed([at])).toEqual([at]);
  await counting.reading.stop();
  await member.leave();
  await sink.close();
  await admin.close();
}

/** Neither producer nor consumer gets in. */
async function refused(transport: KafkaTransport): Promise<void> {
  const contacts = await Promise.allSettled([transport.sink(), transport.member({ groupId: 'refused' })]);
  for (const contact of contacts) expect(contact).toMatchObject({ status: 'rejected', reason: { code: 'broker/tls' } });
}

describe.each(PATHS)('on the %s path', (way) => {
  it.each(['plain', 'scram-sha-512'] as const)('records pass a listener with SASL %s', (mechanism) => goThrough(way, sasl(mechanism)));

  it("records pass a listener with TLS that demands a client's certificate", () => goThrough(way, tls()));

  it('the key of the certificate may be encrypted', async () => {
    const { key, cert } = authority.sign('locked', PASSWORD);
    await goThrough(way, tls({ key, cert, keyPassword: PASSWORD }));
  });

  it.each<[string, () => KafkaOptions]>([
    ['lacks', () => tls({})],
    ['comes from somebody else', () => tls(stranger.sign('client'))],
  ])('a client whose certificate %s is refused, in either direction', async (_, options) => {
    await refused(transportOn(way, options()));
  });

  it('a broker whose authority is not known is refused, in either direction', async () => {
    await refused(transportOn(way, tls({ ...authority.sign('client'), ca: stranger.certificate.pem })));
  });
});
