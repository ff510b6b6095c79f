import { setTimeout as delay } from 'node:timers/promises';
import { called, consumer, disconnect, endsOf } from './clients.mjs';
import { ChaosFailure, must } from './failure.mjs';

const READ_AT_ONCE = 5000;
const UPDATE_PATIENCE_MS = 60_000;

/**
 * One partition's records in offset order; the same index in each list is one record.
 *
 * @typedef {{ offsets: number[], keys: number[], values: number[], next: number }} PartitionHistory
 */

/** What a topic holds, read committed, as far as it was read: the suite's own view, none of the daemon's code. */
export class TopicHistory {
  /** @type {PartitionHistory[]} */
  partitions;
  #client;
  #observer;
  #decode;
  /** By partition, where the last update found the end of what is committed. */
  #stable;

  /**
   * @param {string} topic
   * @param {(record: { key: Buffer, value: Buffer }) => [number, number]} decode a record's key and value as numbers
   * @param {readonly number[]} [from] the offset to begin with, by partition
   */
  constructor(topic, partitions, decode, from = new Array(partitions).fill(0)) {
    this.topic = topic;
    this.#decode = decode;
    this.partitions = from.map((next) => ({ offsets: [], keys: [], values: [], next }));
    this.#stable = new Array(partitions).fill(-1);
  }

  async open(brokers) {
    this.#observer = await consumer(brokers);
    this.#client = await consumer(brokers, { isolation: 'read_committed' });
    this.#client.on('partition.eof', ({ partition, offset }) => {
      this.#stable[partition] = offset;
    });
    return this;
  }

  get records() {
    return this.partitions.reduce((sum, { offsets }) => sum + offsets.length, 0);
  }

  /** Reads on to the end of what is committed now. */
  async update() {
    this.#stable.fill(-1);
    this.#client.assign(this.partitions.map(({ next }, partition) => ({ topic: this.topic, partition, offset: next })));
    const deadline = performance.now() + UPDATE_PATIENCE_MS;
    while (this.#stable.includes(-1)) {
      if (performance.now() > deadline) throw new ChaosFailure(`${this.topic} cannot be read to its end: ${JSON.stringify(this.#stable)}`);
      let records;
      try {
        records = await called((done) => this.#client.consume(READ_AT_ONCE, done));
      } catch (error) {
        must(!/out of range/i.test(error.message), `${this.topic} no longer holds what the suite has not read yet: ${error.message}`);
        continue;
      }
      for (const record of records) this.#take(record);
    }
    // Transaction markers move the position without a record.
    this.partitions.forEach((history, partition) => {
      history.next = Math.max(history.next, this.#stable[partition]);
    });
  }

  /** Reads all that is written by now, once the transactions that are open have come to their end. */
  async settle(timeoutMs) {
    const ends = await endsOf(this.#observer, this.topic, this.partitions.length);
    for (const deadline = performance.now() + timeoutMs; ; ) {
      await this.update();
      if (ends.every((end, partition) => end <= this.#stable[partition])) return;
      if (performance.now() > deadline) {
        throw new ChaosFailure(`${this.topic}: a transaction stays open: readable up to ${this.#stable}, written up to ${ends} after ${timeoutMs / 1000} s`);
      }
      await delay(100);
    }
  }

  async close() {
    await Promise.all([this.#client, this.#observer].map((client) => client && disconnect(client)));
  }

  #take(record) {
    const history = this.partitions[record.partition];
    must(
      record.offset >= history.next,
      () => `${this.topic}-${record.partition} gave offset ${record.offset} after ${history.next - 1} was read: its log has changed`,
    );
    const [key, value] = this.#decode(record);
    history.offsets.push(record.offset);
    history.keys.push(key);
    history.values.push(value);
    history.next = record.offset + 1;
  }
}
