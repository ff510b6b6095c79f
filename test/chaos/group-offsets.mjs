import { setTimeout as delay } from 'node:timers/promises';
import { called, consumer, disconnect, TIMEOUT_MS } from './clients.mjs';

/** What the application's group has committed; asks without joining it. */
export class GroupOffsets {
  #clients = {};

  constructor(group) {
    this.group = group;
  }

  async open(brokers) {
    for (const isolation of ['read_uncommitted', 'read_committed']) this.#clients[isolation] = await consumer(brokers, { group: this.group, isolation });
    return this;
  }

  /** By partition, 0 where there is none; offsets that a transaction has pending do not count. */
  now(topic, partitions) {
    return this.#ask('read_uncommitted', topic, partitions);
  }

  /** By partition, once no transaction has any pending. */
  stable(topic, partitions) {
    return this.#ask('read_committed', topic, partitions);
  }

  async close() {
    await Promise.all(Object.values(this.#clients).map(disconnect));
  }

  async #ask(isolation, topic, partitions) {
    const wanted = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }));
    for (const deadline = performance.now() + TIMEOUT_MS; ; ) {
      try {
        const offsets = await called((done) => this.#clients[isolation].committed(wanted, TIMEOUT_MS, done));
        return wanted.map(({ partition }) => offsets.find((one) => one.partition === partition)?.offset ?? 0);
      } catch (error) {
        if (performance.now() > deadline) throw error;
        await delay(100);
      }
    }
  }
}
