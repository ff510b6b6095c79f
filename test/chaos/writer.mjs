import { setTimeout as delay } from 'node:timers/promises';
import { called, disconnect, producer } from './clients.mjs';

const TICK_MS = 20;
const QUEUE_FULL = -184;

/** Writes numbered records all the time, and keeps its own ledger of what was acknowledged. */
export class Writer {
  sent = 0;
  acknowledged = 0;
  /** 1 for each number that a broker acknowledged. */
  ledger = new Uint8Array(1 << 20);
  #client;
  #running;
  #stopped = false;
  #failure;

  /** @param {{ topic: string, keys: number, groups: number, rate: number }} input `rate` in records a second */
  constructor(input) {
    this.input = input;
  }

  async start(brokers) {
    this.#client = await producer(brokers);
    this.#client.on('delivery-report', (error, report) => {
      if (error) this.#failure ??= new Error(`the writer's record ${report.opaque} was not delivered: ${error.message}`);
      else this.#took(report.opaque);
    });
    this.#running = this.#run().catch((error) => {
      this.#failure ??= error;
    });
  }

  /** Resolves when all that was sent is acknowledged. */
  async stop() {
    this.#stopped = true;
    await this.#running;
    await called((done) => this.#client.flush(60_000, done));
    for (const deadline = performance.now() + 60_000; this.acknowledged < this.sent && !this.#failure && performance.now() < deadline; ) await delay(TICK_MS);
    this.check();
    if (this.acknowledged !== this.sent) throw new Error(`only ${this.acknowledged} of the ${this.sent} records of the writer were acknowledged`);
  }

  /** Throws when a record was refused: the suite's own input is broken then. */
  check() {
    if (this.#failure) throw this.#failure;
  }

  async close() {
    this.#stopped = true;
    await this.#running;
    if (this.#client) await disconnect(this.#client);
  }

  async #run() {
    const started = performance.now();
    const refused = () => this.#stopped || this.#failure;
    while (!refused()) {
      const due = Math.floor(((performance.now() - started) / 1000) * this.input.rate);
      while (this.sent < due && !refused() && this.#send(this.sent)) this.sent++;
      await delay(TICK_MS);
    }
  }

  #send(number) {
    const { topic, keys, groups } = this.input;
    const value = Buffer.from(`{"n":${number},"g":"${spread(number + 1) % groups}"}`);
    const code = this.#client.getClient().produce(topic, -1, value, Buffer.from(String(spread(number) % keys)), undefined, number);
    if (code !== 0 && code !== QUEUE_FULL) throw new Error(`the writer's record ${number} was refused: error ${code}`);
    return code === 0;
  }

  #took(number) {
    if (number >= this.ledger.length) {
      const larger = new Uint8Array(this.ledger.length * 2);
      larger.set(this.ledger);
      this.ledger = larger;
    }
    this.ledger[number] = 1;
    this.acknowledged++;
  }
}

/** Evenly spread and the same in every run. */
function spread(number) {
  const hash = Math.imul(number ^ (number >>> 15), 0x85eb_ca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}
