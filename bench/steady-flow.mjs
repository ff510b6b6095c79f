import { randomUUID } from 'node:crypto';
import rdkafka from '@confluentinc/kafka-javascript';
import { loadAddon } from '../dist/kafka/native/addon.js';

const { RdKafka } = rdkafka;
const TICK_MS = 50;
const VALUES = 1_000;
const VALUE_BYTES = 100;
const KEYS = 100_000;
/** What is made up for at once. */
const MOST = 10_000;
const FIELDS = 10;

const keyOf = (number) => `k${number % KEYS}`;
const values = Array.from({ length: VALUES }, (_, n) =>
  Buffer.from(`{"n":${n},"text":"${(n * 2_654_435_761).toString(36)}`.padEnd(VALUE_BYTES - 2, 'x').concat('"}')),
);

/** Records of 100 bytes at a steady pace, until it is stopped. A tick that comes late, or finds the queue full, is made up for. */
export class SteadyFlow {
  sent = 0;
  #producer;
  #writer;
  #failed;
  #timer;
  #writing = Promise.resolve();
  #stopped;

  static async start(brokers, topic, perSecond) {
    const { addon, file } = loadAddon();
    const token = randomUUID();
    const settings = { 'enable.idempotence': true, 'linger.ms': 20, 'compression.type': 'lz4', 'delivery.report.only.error': true, dr_cb: true };
    const packed = addon === undefined ? {} : { 'plugin.library.paths': file, 'kstreamd.token': token };
    const producer = new RdKafka.Producer({ 'bootstrap.servers': brokers, partitioner: 'murmur2_random', ...settings, ...packed });
    producer.setPollInterval(100);
    await new Promise((resolve, reject) => producer.connect({ timeout: 30_000 }, (error) => (error ? reject(error) : resolve())));
    const writer = addon === undefined ? new StockWriter(producer.getClient(), topic) : new PackedWriter(addon, addon.attach(token), topic);
    return new SteadyFlow(producer, writer, perSecond);
  }

  constructor(producer, writer, perSecond) {
    this.#producer = producer;
    this.#writer = writer;
    producer.on('delivery-report', (error) => {
      this.#failed ??= error;
    });
    const began = performance.now();
    let busy = false;
    this.#timer = setInterval(() => {
      const due = Math.floor(((performance.now() - began) / 1000) * perSecond);
      if (busy || due <= this.sent) return;
      busy = true;
      this.#writing = this.#write(due).finally(() => {
        busy = false;
      });
    }, TICK_MS);
  }

  /** @returns {Promise<number>} how many there are in the topic */
  stop() {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #write(due) {
    try {
      this.sent += await this.#writer.write(this.sent, Math.min(due - this.sent, MOST));
    } catch (error) {
      this.#failed ??= error;
    }
  }

  async #stop() {
    clearInterval(this.#timer);
    await this.#writing;
    await this.#writer.detach();
    const flushed = new Promise((resolve, reject) => this.#producer.flush(30_000, (error) => (error ? reject(error) : resolve())));
    await flushed.finally(() => new Promise((resolve) => this.#producer.disconnect(5_000, resolve)));
    if (this.#failed) throw new Error(`the producer lost a record: ${this.#failed.message}`);
    return this.sent;
  }
}

/** A call a record; gives how many the queue took. */
class StockWriter {
  constructor(native, topic) {
    this.native = native;
    this.topic = topic;
  }

  async write(from, count) {
    let taken = 0;
    while (taken < count && this.native.produce(this.topic, -1, values[(from + taken) % VALUES], Buffer.from(keyOf(from + taken)), Date.now()) === 0) taken++;
    return taken;
  }

  async detach() {}
}

/** A tenth of what that costs, so that what is measured beside it has more of the machine. */
class PackedWriter {
  #fields = new Int32Array(MOST * FIELDS);
  #timestamps = new Float64Array(MOST);
  #keys = Buffer.allocUnsafe(MOST * (String(KEYS).length + 1));
  #values = Buffer.concat(values);

  constructor(addon, handle, topic) {
    this.addon = addon;
    this.handle = handle;
    this.topic = topic;
  }

  async write(from, count) {
    this.#timestamps.fill(Date.now(), 0, count);
    for (let i = 0, at = 0; i < count; i++) {
      const length = this.#keys.latin1Write(keyOf(from + i), at);
      this.#fields.set([0, -1, 0, at, length, 1, ((from + i) % VALUES) * VALUE_BYTES, VALUE_BYTES, 0, -1], i * FIELDS);
      at += length;
    }
    const refused = await this.addon.produce(this.handle, [this.topic], count, this.#fields, this.#timestamps, [this.#keys, this.#values]);
    if (refused !== undefined) throw new Error(`${refused.length / 2} records were refused: error ${refused[1]}`);
    return count;
  }

  detach() {
    return this.addon.detach(this.handle);
  }
}
