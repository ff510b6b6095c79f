import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { KafkaCluster } from '../../../scripts/kafka-cluster.mjs';
import { BrokerError } from '../../../src/core/errors.js';
import type { Logger } from '../../../src/core/logger.js';
import { OutputBatch } from '../../../src/core/output-batch.js';
import type { KafkaOptions } from '../../../src/kafka/config.js';
import { KafkaTransport } from '../../../src/kafka/transport.js';

const logged: string[] = [];
const note = (_fields: object, text: string): void => void logged.push(text);
const logger: Logger = { debug: note, info: note, warn: note, error: note, child: () => logger };

let cluster: KafkaCluster;
let listener: NonNullable<KafkaCluster['sasl']>;

beforeAll(async () => {
  cluster = await KafkaCluster.start({ name: `contact-${process.pid}`, sasl: true, owned: true, shortLived: true });
  listener = cluster.sasl as typeof listener;
});

afterAll(() => cluster.remove());

/** What each kind of client says of these options. */
async function refusals(options: KafkaOptions): Promise<BrokerError[]> {
  const transport = new KafkaTransport(options, logger);
  const clients = [transport.admin(), transport.sink(), transport.member({ groupId: 'contact' })];
  return (await Promise.allSettled(clients)).map((outcome) => {
    if (outcome.status === 'fulfilled') throw new Error('connected');
    return outcome.reason as BrokerError;
  });
}

describe('the first contact', () => {
  it('with nobody names the address and the fix (E3)', async () => {
    for (const error of await refusals({ brokers: '127.0.0.1:1' })) {
      expect(error).toBeInstanceOf(BrokerError);
      expect(error.code).toBe('broker/unreachable');
      expect(error.message).toBe('Kafka at 127.0.0.1:1 cannot be reached: Connect to ipv4#127.0.0.1:1 failed: Connection refused');
      expect(error.fix).toContain('kafka.brokers');
    }
  });

  it('with a wrong password is refused at once, without telling it (E3)', async () => {
    const wrong = (mechanism: 'plain' | 'scram-sha-512') =>
      refusals({ brokers: listener.brokers, sasl: { mechanism, username: listener.user, password: 'wrong-password' } });
    for (const error of (await Promise.all([wrong('plain'), wrong('scram-sha-512')])).flat()) {
      expect(error.code).toBe('broker/authentication');
      expect(error.message).toContain(listener.brokers);
      expect(error.fix).toContain('kafka.sasl');
      expect([error.message, ...logged].join()).not.toContain('wrong-password');
    }
  });

  it('with a mechanism that the broker does not offer says so', async () => {
    const sasl = { mechanism: 'scram-sha-256' as const, username: listener.user, password: listener.password };
    for (const error of await refusals({ brokers: listener.brokers, sasl })) expect(error.code).toBe('broker/sasl-mechanism');
  });

  it('over TLS with a port that does not speak it says so', async () => {
    for (const error of await refusals({ brokers: inject('brokers').split(',')[0] as string, tls: {} })) expect(error.code).toBe('broker/tls');
  });

  it.each(['plain', 'scram-sha-512'] as const)('with the right password succeeds: %s', async (mechanism) => {
    const transport = new KafkaTransport({ brokers: listener.brokers, sasl: { mechanism, username: listener.user, password: listener.password } }, logger);
    const admin = await transport.admin();
    expect(await admin.describe(['no-such-topic'])).toEqual([]);
    await admin.close();
  });

  it('with a value that librdkafka does not take is a mistake in the file', async () => {
    const transport = new KafkaTransport({ brokers: listener.brokers, client: { 'linger.ms': 'soon' } }, logger);
    await expect(transport.sink()).rejects.toMatchObject({ code: 'kafka/invalid-property' });
  });
});

describe('a loss of all brokers', () => {
  it('is told and passes: reads are empty, sends wait, and then all goes on', async () => {
    const transport = new KafkaTransport({ brokers: cluster.brokers }, logger);
    const told: boolean[] = [];
    transport.onReachable((reachable) => told.push(reachable));
    const [admin, sink, { member, reader }] = [await transport.admin(), await transport.sink(), await transport.member({ groupId: 'outage' })];
    await admin.create({ name: 'outage', partitions: 1, config: {} });
    await member.join(['outage'], {
      onAssigned: async () => reader.assign([{ topic: 'outage', partition: 0, offset: 0 }]),
      onRevoked: async () => {},
      onLost: async () => {},
    });
    const values: string[] = [];
    const readUntil = async (condition: () => boolean): Promise<void> => {
      while (!condition()) {
        const { batches } = await reader.read(100);
        for (const batch of batches) for (let i = 0; i < batch.length; i++) values.push(String(batch.valueAt(i)));
      }
    };
    const send = (value: string) =>
      sink.send(OutputBatch.of({ topic: 'outage', partition: 0, key: null, value: Buffer.from(value), timestamp: 1, headers: [] }));
    await send('before');
    await sink.flush();
    await readUntil(() => values.length === 1);
    await cluster.stop();
    await readUntil(() => told.length === 1);
    await send('meanwhile');
    const flushed = sink.flush();
    const committed = member.commit([{ topic: 'outage', partition: 0, offset: 1, metadata: '' }]).then(
      () => true,
      (error: { name: string }) => error.name,
    );
    await cluster.start();
    await readUntil(() => told.at(-1) === true && values.length === 2);
    await flushed;
    // Each change is told once; a broker that has just begun may leave a question unanswered, and be away for a moment more.
    expect(told).toEqual(told.map((_, i) => i % 2 === 1));
    expect(values).toEqual(['before', 'meanwhile']);
    let outcome: boolean | string | undefined;
    void committed.then((done) => {
      outcome = done;
    });
    await readUntil(() => outcome !== undefined);
    expect([true, 'RetriableError', 'TaskMigratedError']).toContain(outcome);
    await member.leave();
    await sink.close();
    await admin.close();
  });
});
