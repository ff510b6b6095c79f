import { KAFKA_KEYS, OWNED_PROPERTIES, SASL_KEYS } from './keys.js';
import type { KafkaSettings } from './model.js';
import { listed, type Reader } from './reader.js';
import { readRegistry } from './registry-settings.js';
import { readTls } from './tls-settings.js';
import { positionOf, type TreeNode } from './tree.js';

/** `host:port`, or a map. No message shows a password, a key, or what came from a variable. */
export function readKafka(node: TreeNode, reader: Reader): KafkaSettings | undefined {
  const position = positionOf(node);
  if (node.kind !== 'map') {
    const brokers = readBrokers(node, reader);
    return brokers === undefined
      ? undefined
      : { brokers, position, sasl: undefined, tls: undefined, registry: undefined, client: {}, transactionTimeoutMs: TRANSACTION_TIMEOUT_MS };
  }
  const fields = reader.fields(node, KAFKA_KEYS, 'kafka');
  const brokers = readBrokers(fields?.get('brokers'), reader);
  const sasl = readSasl(fields?.get('sasl'), reader);
  const tls = readTls(fields?.get('tls'), reader);
  const registry = readRegistry(fields?.get('registry'), reader);
  const client = readClient(fields?.get('client'), reader);
  const transactionTimeoutMs = readTransactionTimeout(clientProperty(node, 'transaction.timeout.ms'), reader) ?? TRANSACTION_TIMEOUT_MS;
  return brokers === undefined ? undefined : { brokers, position, sasl, tls, registry, client, transactionTimeoutMs };
}

/** What stands under `client` for one property of librdkafka. */
export function clientProperty(kafka: TreeNode | undefined, property: string): TreeNode | undefined {
  const client = kafka?.kind === 'map' ? kafka.entries.get('client')?.value : undefined;
  return client?.kind === 'map' ? client.entries.get(property)?.value : undefined;
}

/** librdkafka's default. */
const TRANSACTION_TIMEOUT_MS = 60_000;

/** librdkafka takes numbers in quotes too. */
function readTransactionTimeout(node: TreeNode | undefined, reader: Reader): number | undefined {
  if (node?.kind !== 'scalar') return undefined;
  const timeout = Number(reader.literal(node)?.text);
  if (Number.isInteger(timeout) && timeout >= 1000 && timeout < 2 ** 31) return timeout;
  return reader.diagnostics.error(positionOf(node), 'schema/range', '"transaction.timeout.ms" must be a whole number from 1000 to 2147483647');
}

const BROKER = /^(?:[a-zA-Z0-9._-]+|\[[\da-fA-F:]+\])(?::(\d{1,5}))?$/;

function readBrokers(node: TreeNode | undefined, reader: Reader): string | undefined {
  if (node === undefined) return undefined;
  const nodes = node.kind === 'list' ? node.items : [node];
  const texts = nodes.map((one) => reader.text(one, 'brokers'));
  if (texts.length === 0 || texts.includes(undefined)) return texts.length > 0 ? undefined : reader.wrongType(node, 'brokers', 'host:port');
  const brokers = texts.flatMap((text) => (text ?? '').split(',')).map((broker) => broker.trim());
  const bad = brokers.some((broker) => !BROKER.test(broker) || Number(BROKER.exec(broker)?.[1] ?? 9092) > 65_535);
  if (!bad) return brokers.join(',');
  return reader.diagnostics.error(positionOf(node), 'kafka/brokers', 'brokers are host:port, with commas between them, without a scheme');
}

const MECHANISMS = ['plain', 'scram-sha-256', 'scram-sha-512'] as const;

function readSasl(node: TreeNode | undefined, reader: Reader): KafkaSettings['sasl'] {
  const fields = reader.fields(node, SASL_KEYS, 'sasl');
  const mechanism = reader.word(fields?.get('mechanism'), 'mechanism', MECHANISMS);
  const username = reader.secret(fields?.get('username'), 'username');
  const password = reader.secret(fields?.get('password'), 'password');
  if (mechanism === undefined || username === undefined || password === undefined) return undefined;
  return { mechanism, username, password };
}

const OTHER_KEYS: Readonly<Record<string, string>> = { 'bootstrap.servers': 'kafka.brokers', 'metadata.broker.list': 'kafka.brokers' };

function readClient(node: TreeNode | undefined, reader: Reader): KafkaSettings['client'] {
  const client: Record<string, string | number | boolean> = {};
  for (const [name, { key, value }] of reader.map(node, 'client')?.entries ?? []) {
    if (name.startsWith('x-')) continue;
    if (OWNED_PROPERTIES.includes(name))
      reader.diagnostics.error(positionOf(key), 'kafka/owned', `"${name}" belongs to the daemon; so do ${listed(OWNED_PROPERTIES).replace(' or ', ' and ')}`);
    else if (Object.hasOwn(OTHER_KEYS, name)) reader.diagnostics.error(positionOf(key), 'kafka/owned', `"${name}" has a key of its own`, OTHER_KEYS[name]);
    else {
      const property = value.kind === 'scalar' ? reader.literal(value)?.value : reader.wrongType(value, `"${name}"`, 'text, a number, true or false');
      if (typeof property === 'string' || typeof property === 'number' || typeof property === 'boolean') client[name] = property;
    }
  }
  return client;
}
