import { setTimeout as delay } from 'node:timers/promises';
import { must } from '../failure.mjs';

const FROZEN_MS = 250;

/** The broker stands still for 250 ms, in which requests of a daemon pile up; the daemon is killed, then the broker thaws and reads them. */
export class FrozenBroker {
  static kind = 'frozen-broker';
  static repeats = true;
  #run;
  #instance;
  #state;

  constructor(run, random) {
    this.#run = run;
    this.#instance = random.pick(run.fleet.instances);
  }

  async inject() {
    const { broker } = this.#run;
    await broker.pause();
    try {
      await delay(FROZEN_MS);
      await this.#instance.kill();
      this.#state = broker.status()[0].state;
    } finally {
      await broker.resume();
    }
    await this.#run.checks.storesOf(this.#instance);
  }

  async heal() {
    await this.#run.fleet.start();
  }

  prove() {
    const [dead] = this.#instance.lives.slice(-2);
    must(this.#state === 'paused', `the broker was ${this.#state} while the daemon was killed`);
    must(dead.exit.signal === 'SIGKILL', 'the daemon was not killed');
    return `${this.#instance.name} died of SIGKILL while the broker was frozen`;
  }
}
