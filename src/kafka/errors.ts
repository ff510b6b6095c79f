import { BrokerError, DeliveryError, FatalError, type KstreamdError, RetriableError, TaskMigratedError } from '../core/errors.js';
import { Code } from './codes.js';
import type { StockError } from './stock.js';

type ErrorClass = new (code: string, message: string, options: { cause?: unknown; fix?: string | undefined }) => KstreamdError;

interface Meaning {
  readonly as: ErrorClass;
  readonly code: string;
  readonly text: string;
  readonly fix?: string;
}

const TOO_LARGE: Meaning = {
  as: DeliveryError,
  code: 'broker/record-too-large',
  text: 'the record is larger than allowed',
  fix: "Raise kafka.client message.max.bytes and the topic's max.message.bytes, or make the record smaller.",
};
const UNKNOWN_TOPIC = { code: 'broker/unknown-topic', text: 'the topic does not exist', fix: 'Create the topic, or correct its name.' };
const REFUSED = { as: DeliveryError, code: 'broker/record-refused' };
const REBALANCING: Meaning = { as: RetriableError, code: 'broker/rebalancing', text: 'the group is rebalancing' };
const MIGRATED: Meaning = { as: TaskMigratedError, code: 'broker/member-removed', text: 'the group no longer knows this member' };
const OWN_INSTANCE_ID = 'Give each process its own --instance-id.';
const FENCED: Meaning = {
  as: FatalError,
  code: 'broker/producer-fenced',
  text: 'the producer can no longer keep the order of its records',
  fix: 'Start the daemon again.',
};
const AUTHENTICATION: Meaning = {
  as: BrokerError,
  code: 'broker/authentication',
  text: 'the broker refuses the user name or password',
  fix: 'Check kafka.sasl: mechanism, username and password.',
};

const MEANINGS: ReadonlyMap<number, Meaning> = new Map<number, Meaning>([
  [Code.messageTooLarge, TOO_LARGE],
  [Code.batchTooLarge, TOO_LARGE],
  [Code.unknownTopic, { as: DeliveryError, ...UNKNOWN_TOPIC }],
  [Code.unknownTopicLocally, { as: DeliveryError, ...UNKNOWN_TOPIC }],
  [Code.unknownPartition, { as: DeliveryError, code: 'broker/unknown-partition', text: 'the topic has no such partition' }],
  [Code.invalidMessage, { ...REFUSED, text: 'the broker refuses the record' }],
  [Code.invalidRecord, { ...REFUSED, text: 'the broker refuses the record', fix: 'A compacted topic takes no record without a key.' }],
  [Code.invalidTimestamp, { ...REFUSED, text: 'the topic refuses the timestamp', fix: "See the topic's message.timestamp.before.max.ms and after.max.ms." }],
  [Code.invalidTopic, { ...REFUSED, text: 'the name is not a valid topic name' }],
  [Code.policyViolation, { ...REFUSED, text: "the cluster's policy forbids it" }],
  [Code.illegalGeneration, REBALANCING],
  [Code.rebalanceInProgress, REBALANCING],
  [Code.unknownMember, MIGRATED],
  [Code.fencedMemberEpoch, MIGRATED],
  [
    Code.fencedInstance,
    { ...MIGRATED, code: 'broker/instance-fenced', text: 'another member has joined the group under the same instance id', fix: OWN_INSTANCE_ID },
  ],
  [
    Code.unreleasedInstance,
    { ...MIGRATED, code: 'broker/instance-in-use', text: 'the group still has a member under the same instance id', fix: OWN_INSTANCE_ID },
  ],
  [Code.outOfOrderSequence, FENCED],
  [Code.invalidProducerEpoch, FENCED],
  [Code.producerFenced, FENCED],
  [Code.fatal, { as: FatalError, code: 'broker/client-failed', text: 'the client has failed for good', fix: 'Start the daemon again.' }],
  [Code.authentication, AUTHENTICATION],
  [Code.saslAuthentication, AUTHENTICATION],
  [Code.ssl, { as: BrokerError, code: 'broker/tls', text: 'the TLS connection fails', fix: 'Check kafka.tls.' }],
  [
    Code.topicAuthorization,
    { as: BrokerError, code: 'broker/topic-authorization', text: 'access to the topic is denied', fix: 'Grant the user access to it.' },
  ],
  [
    Code.groupAuthorization,
    {
      as: BrokerError,
      code: 'broker/group-authorization',
      text: 'access to the consumer group is denied',
      fix: "Grant the user READ on the group (the pipeline's name).",
    },
  ],
  [
    Code.clusterAuthorization,
    {
      as: BrokerError,
      code: 'broker/cluster-authorization',
      text: 'the cluster denies this operation',
      fix: 'Grant the user the operation, or have the topics created for you.',
    },
  ],
  [
    Code.transactionalIdAuthorization,
    {
      as: BrokerError,
      code: 'broker/transaction-authorization',
      text: 'access to the transactional id is denied',
      fix: "Grant the user WRITE and DESCRIBE on transactional ids that begin with the pipeline's name.",
    },
  ],
  [
    Code.invalidTransactionTimeout,
    {
      as: BrokerError,
      code: 'broker/transaction-timeout',
      text: 'the broker refuses so long a timeout of transactions',
      fix: 'Set transaction.timeout.ms of kafka.client to no more than transaction.max.timeout.ms of the brokers.',
    },
  ],
  [Code.messageTimedOut, { as: RetriableError, code: 'broker/not-delivered', text: 'the broker did not take the record in time' }],
  [Code.destroyed, { as: RetriableError, code: 'broker/not-delivered', text: 'the sink was closed' }],
  [
    Code.metadataTooLarge,
    {
      as: FatalError,
      code: 'broker/metadata-too-large',
      text: 'the broker refuses the metadata beside an offset',
      fix: 'Raise offset.metadata.max.bytes of the brokers to 4096 or more.',
    },
  ],
  [
    Code.invalidConfig,
    { as: BrokerError, code: 'broker/topic-config', text: 'the broker refuses the topic configuration', fix: 'Correct the options of the topic.' },
  ],
  [Code.invalidPartitions, { as: BrokerError, code: 'broker/topic-config', text: 'the broker refuses the number of partitions' }],
  [Code.invalidReplicationFactor, { as: BrokerError, code: 'broker/topic-config', text: 'the cluster has fewer brokers than its default replication factor' }],
]);

/** What a client says that has failed for good: one code for everything, and the reason in words. */
const REASONS: readonly { readonly when: RegExp; readonly code: number }[] = [
  { when: /fenced by other consumer with same group\.instance\.id/, code: Code.fencedInstance },
  { when: /instance ID is still used by another member/, code: Code.unreleasedInstance },
];

function reasonOf({ code, message }: StockError): number {
  if (code !== Code.fatal) return code;
  return REASONS.find(({ when }) => when.test(message))?.code ?? code;
}

/** Our error for one of the client's: `subject` says what was being done. What is not known by code may pass, so it is retriable (E3). */
export function kafkaError(error: StockError, subject: string): KstreamdError {
  const meaning = MEANINGS.get(reasonOf(error));
  if (meaning === undefined) return new RetriableError('broker/unavailable', `${subject}: ${error.message}`, { cause: error });
  return new meaning.as(meaning.code, `${subject}: ${meaning.text}`, { cause: error, fix: meaning.fix });
}

const FAILED_CONTACT: readonly { readonly when: RegExp; readonly code: string; readonly text: string; readonly fix: string }[] = [
  {
    when: /SASL.*(mechanism handshake|supported mechanisms|not supported)|Unsupported SASL mechanism/i,
    code: 'broker/sasl-mechanism',
    text: 'the broker does not offer this SASL mechanism here',
    fix: 'Correct kafka.sasl.mechanism, or the port in kafka.brokers.',
  },
  { when: /SASL.*(authentication|error|fail)|authentication fail/i, code: AUTHENTICATION.code, text: AUTHENTICATION.text, fix: AUTHENTICATION.fix as string },
  {
    when: /\bSSL\b|certificate/i,
    code: 'broker/tls',
    text: 'the TLS connection fails',
    fix: 'Check kafka.tls and that this port of the broker speaks TLS.',
  },
  {
    when: /ApiVersion|security\.protocol/i,
    code: 'broker/unreachable',
    text: 'the broker closes the connection',
    fix: 'The broker may want TLS or a user: set kafka.tls or kafka.sasl, or correct the port in kafka.brokers.',
  },
];

/** Says why the first contact failed, from what the client logged of its connections; the last line counts (secrets are not in them). */
export function contactError(brokers: string, logged: readonly string[]): BrokerError {
  const last = logged.at(-1);
  const host = last?.match(/(?:^|\s|\/\/)([^\s/]+:\d+)\/(?:bootstrap|\d+):/)?.[1] ?? brokers;
  const reason = last === undefined ? 'no answer' : plainReason(last);
  for (const { when, code, text, fix } of FAILED_CONTACT) {
    if (last !== undefined && when.test(last)) return new BrokerError(code, `Kafka at ${host}: ${text} (${reason})`, { fix });
  }
  return new BrokerError('broker/unreachable', `Kafka at ${host} cannot be reached: ${reason}`, {
    fix: 'Start the broker, or correct kafka.brokers.',
  });
}

/** A wrong password or certificate does not heal by waiting. */
export function isRefusal(error: BrokerError): boolean {
  return error.code !== 'broker/unreachable';
}

function plainReason(logged: string): string {
  return logged
    .replace(/^\[thrd:[^\]]*\]: /, '')
    .replace(/^\S+\/(?:bootstrap|\d+): /, '')
    .replace(/ \(after .*$/, '');
}
