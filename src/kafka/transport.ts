import { ConfigError, messageOf } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import type { GroupMember, PartitionReader, Sink, TopicAdmin, Transport } from '../core/transport.js';
import { KafkaAdmin } from './admin.js';
import { adminConfig, checkClientProperties, consumerConfig, type KafkaOptions, type Membership, maxRecordBytes, producerConfig, secretsOf } from './config.js';
import { GroupConsumer } from './consumer.js';
import { answers, clientEvents, contact, type Surroundings } from './contact.js';
import { Reachability } from './reachability.js';
import { KafkaSink } from './sink.js';
import { newAdmin, newConsumer, newProducer, type StockAdmin, type StockError, type StockPartition } from './stock.js';

/** Failures are dispatched while the producer is polled; flushing polls too. */
const POLL_EVERY_MS = 250;

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
  ) {
    checkClientProperties(options.client ?? {});
  }

  async member(membership: Membership): Promise<{ member: GroupMember; reader: PartitionReader }> {
    const around = this.around('consumer');
    let consumer: GroupConsumer | undefined;
    const config = {
      ...consumerConfig(this.options, membership),
      rebalance_cb: (error: StockError | undefined, partitions: StockPartition[]) => consumer?.onRebalance(error, partitions),
      offset_commit_cb: (error: StockError | null, offsets: StockPartition[]) => consumer?.onCommitted(error, offsets),
    };
    const client = await contact(() => configured(() => newConsumer(config)), around);
    consumer = new GroupConsumer(client, around.logger);
    return { member: consumer, reader: consumer };
  }

  async sink(): Promise<Sink> {
    const producer = await contact(() => configured(() => newProducer(producerConfig(this.options))), this.around('producer'));
    producer.setPollInterval(POLL_EVERY_MS);
    return new KafkaSink(producer, maxRecordBytes(this.options));
  }

  async admin(): Promise<TopicAdmin> {
    const around = this.around('admin');
    const logged: string[] = [];
    const admin: StockAdmin = configured(() =>
      newAdmin(
        adminConfig(this.options),
        clientEvents(around, logged, () => admin),
      ),
    );
    try {
      await answers(admin, around, logged);
    } catch (error) {
      admin.disconnect();
      throw error;
    }
    return new KafkaAdmin(admin);
  }

  onReachable(listener: (reachable: boolean) => void): void {
    this.reachability.onChange(listener);
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
