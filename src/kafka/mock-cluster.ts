import { silentLogger } from '../core/logger.js';
import type { TopicAdmin } from '../core/transport.js';
import { newProducer, promised, type StockMetadata, type StockProducer } from './stock.js';
import { KafkaTransport } from './transport.js';

const TIMEOUT_MS = 5000;

/** With the classic protocol the mock takes 3 s to form a group; a fetch of an empty topic takes the whole wait. */
const QUICK = { 'group.protocol': 'consumer', 'fetch.wait.max.ms': 10, 'linger.ms': 0 };

/**
 * librdkafka's mock cluster, inside this process: one broker on a loopback port that speaks produce, fetch and
 * groups. Topics appear with four partitions when they are first asked for and keep the last 5 MB of a partition.
 * For trying things out; it knows no transactions, topic configurations or authentication.
 */
export class MockCluster {
  private constructor(
    private readonly host: StockProducer,
    readonly brokers: string,
  ) {}

  static async start(): Promise<MockCluster> {
    const host = newProducer({ 'test.mock.num.brokers': 1, 'bootstrap.servers': 'mock', log_level: 0 });
    await promised((done) => host.connect({ timeout: TIMEOUT_MS, allTopics: false }, done));
    const { brokers } = await metadata(host);
    return new MockCluster(host, brokers.map(({ host: name, port }) => `${name}:${port}`).join(','));
  }

  /** @param compacted topics that are compacted, as far as who asks for their configuration can tell */
  transport(compacted: ReadonlySet<string> = new Set()): KafkaTransport {
    const { host, brokers } = this;
    return new (class extends KafkaTransport {
      override admin(): Promise<TopicAdmin> {
        return Promise.resolve(mockAdmin(host, compacted));
      }
    })({ brokers, client: QUICK }, silentLogger);
  }

  /** The cluster and all it holds are gone when this resolves. */
  async close(): Promise<void> {
    await promised((done) => this.host.disconnect(TIMEOUT_MS, done));
  }
}

/** The mock has no requests for topics: asking for one makes it. */
function mockAdmin(host: StockProducer, compacted: ReadonlySet<string>): TopicAdmin {
  return {
    async describe(topics) {
      const described = await Promise.all(topics.map(async (topic) => (await metadata(host, topic)).topics));
      return described.flat().map(({ name, partitions }) => ({ name, partitions: partitions.length }));
    },
    async create({ name }) {
      await metadata(host, name);
    },
    async logEnds(partitions) {
      return Promise.all(partitions.map(async ({ topic, partition }) => ({ topic, partition, offset: await end(host, topic, partition), topicId: undefined })));
    },
    async configs(topics) {
      return new Map(topics.map((topic) => [topic, { 'cleanup.policy': compacted.has(topic) ? 'compact' : 'delete' }]));
    },
    async deleteRecordsBefore() {},
    async close() {},
  };
}

async function end(host: StockProducer, topic: string, partition: number): Promise<number> {
  const { highOffset } = await promised<{ highOffset: number }>((done) => host.queryWatermarkOffsets(topic, partition, TIMEOUT_MS, done));
  return highOffset;
}

function metadata(host: StockProducer, topic?: string): Promise<StockMetadata> {
  return promised((done) => host.getMetadata({ ...(topic === undefined ? {} : { topic }), timeout: TIMEOUT_MS, allTopics: false }, done));
}
