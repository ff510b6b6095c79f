import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import rdkafka from '@confluentinc/kafka-javascript';
import { KafkaCluster } from '../scripts/kafka-cluster.mjs';

const { RdKafka } = rdkafka;
const TIMEOUT_MS = 30_000;
/** The broker's core, and the measured process's. */
export const BROKER_CORE = 1;
export const MEASURED_CORE = 0;

/** @template T @param {(done: (error: Error | null, result: T) => void) => void} call @returns {Promise<T>} */
const promised = (call) => new Promise((resolve, reject) => call((error, result) => (error ? reject(error) : resolve(result))));

/** A new broker coordinates no group until it has made and read the topic for it; who asks before is told so. */
async function coordinated(ask) {
  for (const deadline = Date.now() + TIMEOUT_MS; ; await sleep(50)) {
    try {
      return await ask();
    } catch (error) {
      if (error.code !== RdKafka.CODES.ERRORS.ERR_NOT_COORDINATOR || Date.now() > deadline) throw error;
    }
  }
}

/** A real Apache Kafka on a core of its own, and what the bench asks of it. Topics live as long as the cluster. */
export class BenchCluster {
  #cluster;
  #admin;
  #observer;

  /** @param {{ settings?: Readonly<Record<string, string | number>> }} [options] server.properties over the defaults */
  static async start({ settings = {} } = {}) {
    await KafkaCluster.removeAbandoned();
    const cluster = await KafkaCluster.start({ name: `bench-${process.pid}`, owned: true, settings });
    for (const { pid } of cluster.status()) execFileSync('taskset', ['-a', '-p', '-c', String(BROKER_CORE), String(pid)], { stdio: 'ignore' });
    const observer = new RdKafka.KafkaConsumer({ 'bootstrap.servers': cluster.brokers, 'group.id': 'bench-observer', 'enable.auto.commit': false });
    await promised((done) => observer.connect({ timeout: TIMEOUT_MS }, done));
    return new BenchCluster(cluster, observer);
  }

  constructor(cluster, observer) {
    this.#cluster = cluster;
    this.#observer = observer;
    this.#admin = RdKafka.AdminClient.create({ 'bootstrap.servers': cluster.brokers });
  }

  get brokers() {
    return this.#cluster.brokers;
  }

  async createTopic(topic, partitions, config = {}) {
    const definition = { topic, num_partitions: partitions, replication_factor: 1, config };
    await promised((done) => this.#admin.createTopic(definition, TIMEOUT_MS, done));
    await this.#known(topic, partitions);
  }

  /** A client knows a new topic's leaders only after it has asked for them. */
  async #known(topic, partitions) {
    for (const deadline = Date.now() + TIMEOUT_MS; Date.now() < deadline; await sleep(50)) {
      const { topics } = await promised((done) => this.#observer.getMetadata({ topic, timeout: TIMEOUT_MS }, done)).catch(() => ({ topics: [] }));
      const found = topics.find(({ name }) => name === topic)?.partitions ?? [];
      if (found.filter(({ leader }) => leader > 0).length === partitions) return;
    }
    throw new Error(`topic ${topic} got no leaders in time`);
  }

  async deleteTopic(topic) {
    await promised((done) => this.#admin.deleteTopic(topic, TIMEOUT_MS, done));
  }

  /** @returns {Promise<number[]>} the offset after the last record, by partition */
  async ends(topic, partitions) {
    const ask = (partition) => promised((done) => this.#observer.queryWatermarkOffsets(topic, partition, TIMEOUT_MS, done));
    const marks = await Promise.all(Array.from({ length: partitions }, (_, partition) => ask(partition)));
    return marks.map(({ highOffset }) => highOffset);
  }

  /** Watches what a group commits. `committed()` is the sum over the partitions: the records it has dealt with. */
  async watchGroup(group, topic, partitions) {
    const client = new RdKafka.KafkaConsumer({ 'bootstrap.servers': this.brokers, 'group.id': group, 'enable.auto.commit': false });
    await promised((done) => client.connect({ timeout: TIMEOUT_MS }, done));
    const all = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }));
    return {
      async committed() {
        const offsets = await coordinated(() => promised((done) => client.committed(all, TIMEOUT_MS, done)));
        return offsets.reduce((sum, { offset }) => sum + (offset ?? 0), 0);
      },
      close: () => promised((done) => client.disconnect(done)),
    };
  }

  /**
   * Hands every record of a topic to `visit`, each partition in offset order: up to the ends, or up to `limit` records a partition from
   * `from`.
   *
   * @param {(message: { partition: number, offset: number, key: Buffer, value: Buffer, timestamp: number }) => void} visit
   */
  async readAll(topic, partitions, visit, { from = () => 0, limit = Number.POSITIVE_INFINITY } = {}) {
    const ends = await this.ends(topic, partitions);
    const settings = { 'enable.auto.commit': false, 'auto.offset.reset': 'error', 'fetch.queue.backoff.ms': 5 };
    const reader = new RdKafka.KafkaConsumer({ 'bootstrap.servers': this.brokers, 'group.id': 'bench-reader', ...settings });
    await promised((done) => reader.connect({ timeout: TIMEOUT_MS }, done));
    reader.setDefaultIsTimeoutOnlyForFirstMessage(true);
    const next = ends.map((end, partition) => from(end, partition));
    const stop = ends.map((end, partition) => Math.min(end, next[partition] + limit));
    reader.assign(next.map((offset, partition) => ({ topic, partition, offset })));
    while (next.some((offset, partition) => offset < stop[partition])) {
      const messages = await promised((done) => reader.consume(1000, done));
      for (const message of messages) {
        if (message.offset < stop[message.partition]) visit(message);
        next[message.partition] = message.offset + 1;
      }
      if (messages.length > 0) continue;
      // Markers of transactions are passed without a message.
      for (const { partition, offset } of reader.position(next.map((_, partition) => ({ topic, partition })))) {
        if (offset !== undefined) next[partition] = Math.max(next[partition], offset);
      }
    }
    await promised((done) => reader.disconnect(done));
  }

  async stop() {
    await promised((done) => this.#observer.disconnect(done));
    this.#admin.disconnect();
    await this.#cluster.remove();
  }
}
