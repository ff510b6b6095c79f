import { rmSync } from 'node:fs';
import { must } from '../failure.mjs';
import { readState, taskDirectories } from '../state-files.mjs';

/** The state directory of an instance is gone when it comes back; it then runs alone, so that it has to restore everything. */
export class LostState {
  static kind = 'lost-state';
  #run;
  #random;
  #instance;
  #entries;

  constructor(run, random) {
    this.#run = run;
    this.#random = random;
    this.#instance = random.pick(run.fleet.instances);
  }

  async inject() {
    await this.#run.stopAll(this.#random);
    this.#entries = entriesIn(await readState(this.#instance.stateDir));
    rmSync(this.#instance.stateDir, { recursive: true });
  }

  async heal() {
    await this.#run.fleet.start([this.#instance]);
    await this.#run.fleet.start();
  }

  prove() {
    const { name, stateDir, daemon } = this.#instance;
    const restored = this.#run.restoredBy(daemon);
    must(this.#entries > 0, `the state of ${name} was empty before it was lost`);
    must(taskDirectories(stateDir).length > 0, `${name} has made no state again`);
    must(restored > 0, `${name} says of no restore though its state was lost`);
    return `${name} lost ${this.#entries} entries and restored ${restored} records`;
  }
}

function entriesIn(states) {
  return states.flatMap(({ stores }) => [...stores.values()]).reduce((sum, store) => sum + store.size, 0);
}
