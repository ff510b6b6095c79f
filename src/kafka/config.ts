import { closest } from '../core/closest.js';
import { ConfigError } from '../core/errors.js';
import type { Isolation } from '../core/transport.js';
import { OWNED, type PropertyScope, SCOPES } from './properties.js';

/** How to reach a cluster. */
export interface KafkaOptions {
  /** `host:port,…` */
  readonly brokers: string;
  readonly sasl?: { readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'; readonly username: string; readonly password: string } | undefined;
  /** undefined: no TLS; PEM texts, all optional. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string; readonly keyPassword?: string } | undefined;
  /** librdkafka's properties by name; each client gets those it knows. */
  readonly client?: Readonly<Record<string, string | number | boolean>> | undefined;
}

export interface Membership {
  readonly groupId: string;
  /** A static member keeps its partitions over a restart. */
  readonly instanceId?: string | undefined;
}

type Properties = Readonly<Record<string, string | number | boolean>>;

/** Refuses properties that the daemon owns (`kafka/owned-property`) and ones that librdkafka does not know (`kafka/unknown-property`). */
export function checkClientProperties(client: Properties): void {
  for (const name of Object.keys(client)) {
    const owner = OWNED.get(name);
    if (owner !== undefined) throw new ConfigError('kafka/owned-property', `kafka.client: ${name} cannot be set: ${owner}`, { fix: `Remove ${name}.` });
    if (SCOPES.has(name)) continue;
    const near = closest(name, SCOPES.keys());
    throw new ConfigError('kafka/unknown-property', `kafka.client: ${name} is not a property of librdkafka`, {
      fix: near === undefined ? "See librdkafka's CONFIGURATION.md for the names." : `Did you mean ${near}?`,
    });
  }
}

/** A reader without a group: made for long runs of records, and for an end that is noticed soon. */
export function readerConfig(options: KafkaOptions, isolation: Isolation): Properties {
  return {
    ...consumerConfig(options, { groupId: 'kstreamd.reader' }), // the client wants a name, and never joins
    'fetch.wait.max.ms': 20,
    'queued.min.messages': 100_000,
    'isolation.level': isolation,
  };
}

export function consumerConfig(options: KafkaOptions, membership: Membership): Properties {
  // With `group.protocol: consumer` the broker decides these, and naming them is an error.
  const classic = options.client?.['group.protocol'] !== 'consumer';
  return {
    'allow.auto.create.topics': false,
    ...(classic ? { 'heartbeat.interval.ms': 1_000 } : {}), // hears of rebalances soon
    'fetch.queue.backoff.ms': 5, // the default of a second halves throughput
    'fetch.wait.max.ms': 250, // a seek waits for the fetch that is under way
    'queued.min.messages': 20_000,
    'queued.max.messages.kbytes': 65_536,
    ...shared(options, 'consumer'),
    'group.id': membership.groupId,
    ...(membership.instanceId === undefined ? {} : { 'group.instance.id': membership.instanceId }),
    ...(classic ? { 'partition.assignment.strategy': 'cooperative-sticky' } : {}),
    'enable.auto.commit': false,
    'enable.auto.offset.store': false,
    'auto.offset.reset': 'error', // positions are always given
    'isolation.level': 'read_committed',
  };
}

export function producerConfig(options: KafkaOptions): Properties {
  return {
    'allow.auto.create.topics': false,
    'linger.ms': 5,
    'batch.num.messages': 10_000,
    'compression.type': 'lz4',
    'queue.buffering.max.messages': 500_000,
    ...shared(options, 'producer'),
    acks: 'all',
    'enable.idempotence': true,
    partitioner: 'murmur2_random', // Java's (R4)
    'delivery.report.only.error': true,
    dr_cb: true,
  };
}

/** No delivery reports: the commit fails when a record was not written. */
export function transactionalConfig(options: KafkaOptions, transactionalId: string, timeoutMs: number): Properties {
  const { dr_cb: _, 'delivery.report.only.error': __, ...config } = producerConfig(options);
  const within = (name: string, latest: number): Properties => (name in config ? { [name]: Math.min(Number(config[name]), latest) } : {});
  return {
    ...config,
    ...within('message.timeout.ms', timeoutMs),
    ...within('delivery.timeout.ms', timeoutMs),
    ...within('socket.timeout.ms', timeoutMs - 100),
    'transactional.id': transactionalId,
    'transaction.timeout.ms': timeoutMs,
  };
}

/** Milliseconds after which the broker aborts a transaction, when nobody says otherwise. */
export function defaultTransactionTimeoutMs(options: KafkaOptions): number {
  return Number(options.client?.['transaction.timeout.ms'] ?? 60_000);
}

export function adminConfig(options: KafkaOptions): Properties {
  return { 'allow.auto.create.topics': false, ...shared(options, 'both') };
}

/** Largest record that the client accepts, in bytes. */
export function maxRecordBytes(options: KafkaOptions): number {
  return Number(options.client?.['message.max.bytes'] ?? 1_000_000);
}

/** Texts that must not be seen in a message. */
export function secretsOf({ sasl, tls, client = {} }: KafkaOptions): string[] {
  const named = Object.entries(client).filter(([name]) => /password|secret|passphrase|key\.pem|oauthbearer\.config/.test(name));
  return [sasl?.password, tls?.key, tls?.keyPassword, ...named.map(([, value]) => String(value))].filter(
    (secret) => secret !== undefined && secret !== '',
  ) as string[];
}

function shared(options: KafkaOptions, scope: PropertyScope): Properties {
  const { sasl, tls, client = {} } = options;
  const known = Object.entries(client).filter(([name]) => SCOPES.get(name) === 'both' || SCOPES.get(name) === scope);
  return {
    'client.id': 'kstreamd',
    'log.connection.close': false,
    'reconnect.backoff.max.ms': 2_000, // a broker that returns is found soon
    'security.protocol': `${sasl ? 'sasl_' : ''}${tls ? 'ssl' : 'plaintext'}`,
    ...(sasl && { 'sasl.mechanism': sasl.mechanism.toUpperCase(), 'sasl.username': sasl.username, 'sasl.password': sasl.password }),
    ...(tls?.ca && { 'ssl.ca.pem': tls.ca }),
    ...(tls?.cert && { 'ssl.certificate.pem': tls.cert }),
    ...(tls?.key && { 'ssl.key.pem': tls.key }),
    ...(tls?.keyPassword && { 'ssl.key.password': tls.keyPassword }),
    ...Object.fromEntries(known),
    'bootstrap.servers': options.brokers,
  };
}
