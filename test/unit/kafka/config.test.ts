import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../../src/core/errors.js';
import {
  adminConfig,
  checkClientProperties,
  consumerConfig,
  defaultTransactionTimeoutMs,
  type KafkaOptions,
  producerConfig,
  readerConfig,
  secretsOf,
  transactionalConfig,
} from '../../../src/kafka/config.js';
import { OWNED, SCOPES } from '../../../src/kafka/properties.js';

const options: KafkaOptions = { brokers: 'a:9092,b:9092' };

function refusal(client: Record<string, string>): ConfigError {
  try {
    checkClientProperties(client);
  } catch (error) {
    return error as ConfigError;
  }
  throw new Error('accepted');
}

describe('properties of kafka.client', () => {
  it('reach the clients that know them, and only those', () => {
    const client = { 'linger.ms': 20, 'fetch.max.bytes': 1_000_000, 'socket.timeout.ms': 9_000 };
    const configs = [consumerConfig({ ...options, client }, { groupId: 'g' }), producerConfig({ ...options, client }), adminConfig({ ...options, client })];
    expect(configs.map((config) => [config['linger.ms'], config['fetch.max.bytes'], config['socket.timeout.ms']])).toEqual([
      [undefined, 1_000_000, 9_000],
      [20, undefined, 9_000],
      [undefined, undefined, 9_000],
    ]);
  });

  it.each([...OWNED.keys()])('are refused when the daemon owns them: %s', (name) => {
    const error = refusal({ [name]: 'x' });
    expect([error.code, error instanceof ConfigError]).toEqual(['kafka/owned-property', true]);
    expect(error.message).toContain(name);
  });

  it('are refused with a suggestion when librdkafka does not know them', () => {
    const error = refusal({ 'liner.ms': '5' });
    expect([error.code, error.fix]).toEqual(['kafka/unknown-property', 'Did you mean linger.ms?']);
    expect(refusal({ 'something.else.altogether': '5' }).fix).toContain('CONFIGURATION.md');
  });

  it('are known with the scope that the client itself declares', () => {
    const declared = declaredScopes();
    expect(declared.size).toBeGreaterThan(150);
    for (const [name, scope] of SCOPES) expect([name, declared.get(name)]).toEqual([name, scope]);
  });
});

describe('configuration of the clients', () => {
  it('keeps what delivery depends on, whatever the file says', () => {
    const consumer = consumerConfig(
      { ...options, client: { 'isolation.level': 'read_uncommitted', 'enable.auto.commit': true } },
      { groupId: 'g', instanceId: 'i' },
    );
    expect(consumer).toMatchObject({
      'bootstrap.servers': 'a:9092,b:9092',
      'group.id': 'g',
      'group.instance.id': 'i',
      'enable.auto.commit': false,
      'enable.auto.offset.store': false,
      'isolation.level': 'read_committed',
      'partition.assignment.strategy': 'cooperative-sticky',
      'auto.offset.reset': 'error',
    });
    const producer = producerConfig({ ...options, client: { acks: 1 } });
    expect(producer).toMatchObject({ acks: 'all', 'enable.idempotence': true, partitioner: 'murmur2_random', 'delivery.report.only.error': true });
  });

  it('leaves the assignment to the broker where the file chooses that protocol', () => {
    const config = consumerConfig({ ...options, client: { 'group.protocol': 'consumer' } }, { groupId: 'g' });
    expect(config).not.toHaveProperty(['partition.assignment.strategy']);
    expect(config).not.toHaveProperty(['heartbeat.interval.ms']);
    expect(config['group.protocol']).toBe('consumer');
  });

  it('lets the file override defaults that only cost or save', () => {
    expect(producerConfig({ ...options, client: { 'linger.ms': 50, 'compression.type': 'zstd' } })).toMatchObject({
      'linger.ms': 50,
      'compression.type': 'zstd',
    });
  });

  it.each([
    [{}, 'plaintext'],
    [{ tls: {} }, 'ssl'],
    [{ sasl: { mechanism: 'plain', username: 'u', password: 'p' } }, 'sasl_plaintext'],
    [{ sasl: { mechanism: 'plain', username: 'u', password: 'p' }, tls: {} }, 'sasl_ssl'],
  ] as [Partial<KafkaOptions>, string][])('derives the security protocol (%#)', (security, protocol) => {
    expect(adminConfig({ ...options, ...security })['security.protocol']).toBe(protocol);
  });

  it('hands on credentials and certificates', () => {
    const config = adminConfig({
      ...options,
      sasl: { mechanism: 'scram-sha-512', username: 'u', password: 'p' },
      tls: { ca: 'CA', cert: 'CERT', key: 'KEY', keyPassword: 'KP' },
    });
    expect(config).toMatchObject({
      'sasl.mechanism': 'SCRAM-SHA-512',
      'sasl.username': 'u',
      'sasl.password': 'p',
      'ssl.ca.pem': 'CA',
      'ssl.certificate.pem': 'CERT',
      'ssl.key.pem': 'KEY',
      'ssl.key.password': 'KP',
    });
  });

  it('knows which of its texts are secret', () => {
    const secrets = secretsOf({
      ...options,
      sasl: { mechanism: 'plain', username: 'u', password: 'hidden' },
      tls: { key: 'KEY', keyPassword: '' },
      client: { 'sasl.oauthbearer.client.secret': 'shh', 'client.id': 'open' },
    });
    expect(secrets).toEqual(['hidden', 'KEY', 'shh']);
  });
});

/** Scopes by the interfaces of the client's own declarations. */
function declaredScopes(): Map<string, string> {
  const text = readFileSync(new URL('../../../node_modules/@confluentinc/kafka-javascript/types/config.d.ts', import.meta.url), 'utf8');
  const scopes = new Map<string, string>();
  for (const [, name = '', body = ''] of text.matchAll(/export interface (\w+)Config[^{]*\{(.*?)\n\}/gs)) {
    const scope = name.startsWith('Producer') ? 'producer' : name.startsWith('Consumer') ? 'consumer' : 'both';
    for (const [, property = ''] of body.matchAll(/^ {4}"([^"]+)"\?:/gm)) if (!scopes.has(property)) scopes.set(property, scope);
  }
  return scopes;
}

describe('clients of transactions and restores', () => {
  it('have no delivery reports, and no timeout that outlives the transaction (C3)', () => {
    const client = { 'message.timeout.ms': 300_000, 'socket.timeout.ms': 5_000 };
    const config = transactionalConfig({ ...options, client }, 'app-1', 20_000);
    expect(config).toMatchObject({ 'transactional.id': 'app-1', 'transaction.timeout.ms': 20_000, 'message.timeout.ms': 20_000, 'socket.timeout.ms': 5_000 });
    expect(Object.keys(config).filter((name) => name === 'dr_cb' || name.startsWith('delivery.report'))).toEqual([]);
    expect(transactionalConfig(options, 'app-1', 20_000)).not.toHaveProperty(['message.timeout.ms']); // the client lowers its own
  });

  it('take their timeout from the file where there is one', () => {
    expect(defaultTransactionTimeoutMs(options)).toBe(60_000);
    expect(defaultTransactionTimeoutMs({ ...options, client: { 'transaction.timeout.ms': 90_000 } })).toBe(90_000);
  });

  it('read with the isolation that is asked for, and never at a place of their own choice', () => {
    for (const isolation of ['read_committed', 'read_uncommitted'] as const) {
      expect(readerConfig(options, isolation)).toMatchObject({ 'isolation.level': isolation, 'auto.offset.reset': 'error', 'enable.auto.commit': false });
    }
  });
});
