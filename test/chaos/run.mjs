import { setTimeout as delay } from 'node:timers/promises';
import { INPUT, PARTITIONS, REPARTITION } from './application.mjs';
import { ChaosFailure, must } from './failure.mjs';
import { unread } from './flows.mjs';
import { planOf } from './plan.mjs';

/** Of the whole input, passes between two faults. */
const SHARE_BETWEEN = 0.01;
const PASS_PATIENCE_MS = 60_000;
const END_PATIENCE_MS = 120_000;

/**
 * Faults strike one after the other while input flows; between them a share of it passes. It ends when the time is over: then all input is
 * processed, every instance stops, and everything is compared.
 */
export class ChaosRun {
  struck = [];
  #bench;
  #kinds;
  #options;

  /**
   * @param {import('./bench.mjs').Bench} bench what it runs on
   * @param {readonly any[]} kinds of faults
   * @param {{ seed: number, minutes: number, each: boolean, exactlyOnce: boolean, say: (line: string) => void }} options `each`: goes on
   * until every kind has struck, however long that takes
   */
  constructor(bench, kinds, options) {
    this.#bench = bench;
    this.#kinds = kinds;
    this.#options = options;
  }

  get fleet() {
    return this.#bench.fleet;
  }

  get broker() {
    return this.#bench.broker;
  }

  get checks() {
    return this.#bench.checks;
  }

  get smallDisk() {
    return this.#bench.smallDisk;
  }

  /** Input records that are committed. */
  async committed() {
    return (await this.#bench.offsets.now(INPUT, PARTITIONS)).reduce((sum, offset) => sum + offset, 0);
  }

  /** How many records a daemon says it has restored. */
  restoredBy(daemon) {
    return restoresOf(daemon).reduce((sum, { records = 0 }) => sum + records, 0);
  }

  /**
   * Stops every instance, and checks what that leaves. Under exactly-once some are killed, as chance has it; under at-least-once none
   * but `killed`.
   */
  async stopAll(random, killed) {
    const doomed = this.fleet.running.filter((instance) => instance === killed || (this.#options.exactlyOnce && random.int(3) === 0));
    await Promise.all(this.fleet.running.map((instance) => (doomed.includes(instance) ? instance.kill() : instance.stop())));
    await this.checks.atStop(doomed.length === 0);
  }

  async play() {
    const { writer } = this.#bench;
    const { seed, minutes, each, say } = this.#options;
    const planned = writer.input.rate * Math.max(minutes, 1) * 60;
    const deadline = performance.now() + minutes * 60_000;
    await this.#pass(planned * SHARE_BETWEEN);
    for (const { number, kind, random } of planOf(seed, this.#kinds)) {
      if (performance.now() > deadline && number > (each ? this.#kinds.length : 1)) break;
      await this.#strike(number, kind, random, say);
      await this.#pass(planned * SHARE_BETWEEN);
    }
    await this.#end();
  }

  async #strike(number, kind, random, say) {
    const started = performance.now();
    this.checks.expect(kind);
    try {
      const fault = new kind(this, random);
      await fault.inject();
      await fault.heal();
      const proof = await fault.prove();
      const seconds = (performance.now() - started) / 1000;
      this.struck.push({ number, kind: kind.kind, proof, seconds });
      say(`${String(number).padStart(3)}  ${kind.kind.padEnd(16)} ${seconds.toFixed(1).padStart(5)} s  ${proof}`);
    } catch (error) {
      if (error instanceof ChaosFailure) error.message = `fault ${number}, ${kind.kind}: ${error.message}`;
      throw error;
    }
  }

  /** Waits until so many records more are committed. */
  async #pass(records) {
    const goal = (await this.committed()) + records;
    for (const deadline = performance.now() + PASS_PATIENCE_MS; (await this.committed()) < goal; ) {
      this.fleet.check();
      this.#bench.writer.check();
      if (performance.now() > deadline) {
        throw new ChaosFailure(
          `after fault ${this.struck.length}: ${await this.committed()} records are committed, ${goal} were to be within ${PASS_PATIENCE_MS / 1000} s`,
        );
      }
      await delay(100);
    }
    await this.checks.outputs();
  }

  async #end() {
    const { writer, input } = this.#bench;
    await writer.stop();
    await input.settle(END_PATIENCE_MS);
    this.#inputIsWhole();
    await this.#everythingIsProcessed();
    await Promise.all(this.fleet.running.map((instance) => instance.stop()));
    await this.checks.atEnd();
  }

  /** Each number that was acknowledged is in the topic, and none is twice: the input itself can be trusted. */
  #inputIsWhole() {
    const { writer, numbers } = this.#bench;
    for (let number = 0; number < writer.sent; number++) {
      must(
        writer.ledger[number] !== 1 || numbers[number] === 1,
        () => `record ${number} of the writer was acknowledged and is ${numbers[number] ?? 0} times in ${INPUT}`,
      );
    }
  }

  async #everythingIsProcessed() {
    const { input, offsets } = this.#bench;
    for (const deadline = performance.now() + END_PATIENCE_MS; ; await delay(200)) {
      this.fleet.check();
      const committed = await offsets.now(INPUT, PARTITIONS);
      const behind = input.partitions.findIndex(({ next }, partition) => committed[partition] < next);
      const rest = behind === -1 ? (await unread(this.broker.brokers, offsets)).rest.records : undefined;
      if (rest === 0) return;
      if (performance.now() < deadline) continue;
      throw new ChaosFailure(
        rest === undefined
          ? `at the end ${committed[behind]} of ${INPUT}-${behind} is committed, which holds ${input.partitions[behind].next}`
          : `at the end ${rest} records of ${REPARTITION} are not processed`,
      );
    }
  }
}

/** The log lines of a daemon that tell of records that it restored. */
export function restoresOf(daemon) {
  return daemon.log.filter(({ msg }) => /^(stores restored|restore suspended)/.test(msg));
}
