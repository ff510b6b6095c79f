import { ConfigError, messageOf } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import type { GroupMember, Isolation, PartitionReader, Sink, SinkOptions, TopicAdmin, Transport } from '../core/transport.js';
import { KafkaAdmin } from './admin.js';
import {
  adminConfig,
  checkClientProperties,
  consumerConfig,
  defaultTransactionTimeoutMs,
  type KafkaOptions,
  type Membership,
  maxRecordBytes,
  producerConfig,
  readerConfig,
  secretsOf,
  transactionalConfig,
} from './config.js';
import { GroupConsumer } from './consumer.js';
import { answers, clientEvents, contact, type Surroundings } from './contact.js';
import { type Attachment, RecordPath, type TransportPath } from './path.js';
import { Reachability } from './reachability.js';
import { KafkaSink } from './sink.js';
import { newAdmin, newConsumer, newProducer, type StockAdmin, type StockClient, type StockConfig, type StockError, type StockPartition } from './stock.js';
import { initTransactions } from './transaction.js';
import { TransactionCalls } from './transaction-calls.js';
import { TransactionalSink } from './transactional-sink.js';

/** Failures are dispatched while the producer is polled; flushing polls too. */
const POLL_EVERY_MS = 250;
/** A reader of its own is at the end soon, and may only have to pass a marker there. */
const READER_WAIT_MS = 50;

/**
 * Clients of a Kafka cluster, on librdkafka. Each method connects a new client and rejects with a BrokerError when
 * the cluster cannot be reached or refuses us; later on, a loss of the brokers is no error: reads are empty, sends
 * are queued, and `onReachable` tells.
 */
export class KafkaTransport implements Transport {
  private readonly reachability = new Reachability();

  /** Throws a ConfigError `kafka/…` for `client` properties that cannot be set. */
  constructor(
    private readonly options: KafkaOptions,
    private readonly logger: Logger,
    private readonly records = new RecordPath(logger),
  ) {
    checkClientProperties(options.client ?? {});
  }

  /** How records pass between librdkafka and us. */
  get path(): TransportPath {
    return this.records.name;
  }

  async member(membership: Membership): Promise<{ member: GroupMember; reader: PartitionReader }> {
    const around = this.around('consumer');
    let consumer: GroupConsumer | undefined;
    const config = {
      ...consumerConfig(this.options, membership),
      rebalance_cb: (error: StockError | undefined, partitions: StockPartition[]) => consumer?.onRebalance(error, partitions),
      offset_commit_cb: (error: StockError | null, offsets: StockPartition[]) => consumer?.onCommitted(error, offsets),
    };
    const { client, attachment } = await this.connected(newConsumer, config, around);
    consumer = new GroupConsumer(client, attachment.fetcher(client), around.logger);
    return { member: consumer, reader: consumer };
  }

  async reader({ isolation }: { isolation: Isolation }): Promise<PartitionReader> {
    const around = this.around('reader');
    const { client, attachment } = await this.connected(newConsumer, readerConfig(this.options, isolation), around);
    return new GroupConsumer(client, attachment.fetcher(client), around.logger, READER_WAIT_MS);
  }

  async sink({ transactionalId, transactionTimeoutMs = defaultTransactionTimeoutMs(this.options) }: SinkOptions = {}): Promise<Sink> {
    const config = transactionalId === undefined ? producerConfig(this.options) : transactionalConfig(this.options, transactionalId, transactionTimeoutMs);
    const { client: producer, attachment } = await this.connected(newProducer, config, this.around('producer'));
    producer.setPollInterval(POLL_EVERY_MS);
    const sink = new KafkaSink(producer, attachment.enqueuer(producer), maxRecordBytes(this.options));
    if (transactionalId === undefined) return sink;
    const calls = new TransactionCalls();
    try {
      await initTransactions(producer, calls);
    } catch (error) {
      await sink.close();
      throw error;
    }
    return new TransactionalSink(producer, calls, sink, transactionTimeoutMs);
  }

  async admin(): Promise<TopicAdmin> {
    const around = this.around('admin');
    const logged: string[] = [];
    const attachment = this.records.attachment();
    const admin: StockAdmin = configured(() =>
      newAdmin(
        { ...attachment.config, ...adminConfig(this.options) },
        clientEvents(around, logged, () => admin),
      ),
    );
    try {
      await answers(admin, around, logged);
    } catch (error) {
      admin.disconnect();
      throw error;
    }
    return new KafkaAdmin(admin, attachment.topicConfigs(), () => this.reachability.reachable);
  }

  onReachable(listener: (reachable: boolean) => void): void {
    this.reachability.onChange(listener);
  }

  /** A connected client with what attaches to it. Each try makes a client anew, and so what belongs to it. */
  private async connected<T extends StockClient>(
    make: (config: StockConfig) => T,
    config: StockConfig,
    around: Surroundings,
  ): Promise<{ client: T; attachment: Attachment }> {
    const attachments: Attachment[] = [];
    const client = await contact(() => {
      const attachment = this.records.attachment();
      attachments.push(attachment);
      return configured(() => make({ ...attachment.config, ...config }));
    }, around);
    return { client, attachment: attachments.at(-1) as Attachment };
  }

  private around(client: string): Surroundings {
    const secrets = secretsOf(this.options);
    return {
      brokers: this.options.brokers,
      logger: this.logger.child({ client }),
      redact: (text) => secrets.reduce((rest, secret) => rest.replaceAll(secret, '***'), text),
      lost: (lost) => this.reachability.lost(lost),
    };
  }
}

/** librdkafka checks values when a client is made. */
function configured<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw new ConfigError('kafka/invalid-property', `kafka.client: ${messageOf(error)}`, { cause: error });
  }
}
