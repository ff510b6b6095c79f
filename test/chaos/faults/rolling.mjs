import { must } from '../failure.mjs';

/** Every instance in turn is ended with SIGTERM and started again, as an upgrade does it. */
export class Rolling {
  static kind = 'rolling';
  #run;
  #order;
  #moved = [];

  constructor(run, random) {
    this.#run = run;
    this.#order = random.shuffle(run.fleet.instances);
  }

  async inject() {
    const { fleet, checks } = this.#run;
    for (const instance of this.#order) {
      await instance.stop();
      await checks.storesOf(instance);
      await fleet.settled();
      this.#moved.push(instance.name);
      await fleet.start([instance]);
    }
  }

  async heal() {}

  prove() {
    const clean = this.#order.filter(({ lives }) => lives.at(-2).exit.code === 0);
    must(clean.length === this.#order.length, 'not every instance ended with code 0');
    return `${this.#moved.join(', ')} ended with code 0; each time the others ran all tasks`;
  }
}
