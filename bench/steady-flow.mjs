import rdkafka from '@confluentinc/kafka-javascript';

const { RdKafka } = rdkafka;
const TICK_MS = 50;
const VALUES = 1_000;
const KEYS = 100_000;

/** Records of 100 bytes at a steady pace, until it is stopped. A tick that comes late, or finds the queue full, is made up for. */
export class SteadyFlow {
  sent = 0;
  #producer;
  #failed;
  #timer;
  #stopped;
  #values = Array.from({ length: VALUES }, (_, n) => Buffer.from(`{"n":${n},"text":"${(n * 2_654_435_761).toString(36)}`.padEnd(98, 'x').concat('"}')));

  static async start(brokers, topic, perSecond) {
    const settings = { 'enable.idempotence': true, 'linger.ms': 20, 'compression.type': 'lz4', 'delivery.report.only.error': true, dr_cb: true };
    const producer = new RdKafka.Producer({ 'bootstrap.servers': brokers, partitioner: 'murmur2_random', ...settings });
    producer.setPollInterval(100);
    await new Promise((resolve, reject) => producer.connect({ timeout: 30_000 }, (error) => (error ? reject(error) : resolve())));
    return new SteadyFlow(producer, topic, perSecond);
  }

  constructor(producer, topic, perSecond) {
    this.#producer = producer;
    producer.on('delivery-report', (error) => {
      this.#failed ??= error;
    });
    const native = producer.getClient();
    const began = performance.now();
    this.#timer = setInterval(() => {
      const due = Math.floor(((performance.now() - began) / 1000) * perSecond);
      while (this.sent < due && native.produce(topic, -1, this.#values[this.sent % VALUES], Buffer.from(`k${this.sent % KEYS}`), Date.now()) === 0) this.sent++;
    }, TICK_MS);
  }

  /** @returns {Promise<number>} how many there are in the topic */
  stop() {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop() {
    clearInterval(this.#timer);
    const flushed = new Promise((resolve, reject) => this.#producer.flush(30_000, (error) => (error ? reject(error) : resolve())));
    await flushed.finally(() => new Promise((resolve) => this.#producer.disconnect(5_000, resolve)));
    if (this.#failed) throw new Error(`the producer lost a record: ${this.#failed.message}`);
    return this.sent;
  }
}
