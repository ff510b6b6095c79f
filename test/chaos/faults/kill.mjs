import { must } from '../failure.mjs';

/** `kill -9` of a daemon in the middle of its work. */
export class Kill {
  static kind = 'kill';
  static repeats = true;
  #run;
  #instance;
  #before;

  constructor(run, random) {
    this.#run = run;
    this.#instance = random.pick(run.fleet.instances);
  }

  async inject() {
    this.#before = await this.#run.committed();
    await this.#instance.kill();
    await this.#run.checks.storesOf(this.#instance);
  }

  async heal() {
    await this.#run.fleet.start();
  }

  prove() {
    const [dead, living] = this.#instance.lives.slice(-2);
    must(dead.exit.signal === 'SIGKILL' && living.running, 'the daemon was not killed and started again');
    return `${this.#instance.name} died of SIGKILL with ${this.#before} records committed`;
  }
}
