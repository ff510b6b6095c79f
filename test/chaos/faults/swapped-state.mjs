import { renameSync, statSync } from 'node:fs';
import { must } from '../failure.mjs';
import { taskDirectories } from '../state-files.mjs';

/** Two instances come back with each other's state directory: each finds tasks it knows an old state of, and lacks others. */
export class SwappedState {
  static kind = 'swapped-state';
  #run;
  #random;
  #pair;
  #inodes;

  constructor(run, random) {
    this.#run = run;
    this.#random = random;
    // The state of an instance on the small disk cannot be renamed out of it.
    this.#pair = random.shuffle(run.fleet.instances.filter((instance) => instance !== run.smallDisk?.instance)).slice(0, 2);
  }

  async inject() {
    await this.#run.stopAll(this.#random);
    const [left, right] = this.#pair.map(({ stateDir }) => stateDir);
    this.#inodes = this.#pair.map(({ stateDir }) => statSync(stateDir).ino);
    must(taskDirectories(left).length > 0 && taskDirectories(right).length > 0, 'there is no state to swap');
    renameSync(left, `${left}.swap`);
    renameSync(right, left);
    renameSync(`${left}.swap`, right);
  }

  async heal() {
    await this.#run.fleet.start();
  }

  prove() {
    const [left, right] = this.#pair.map(({ stateDir }) => statSync(stateDir).ino);
    must(left === this.#inodes[1] && right === this.#inodes[0], 'the state directories are where they were');
    return `${this.#pair.map(({ name, stateDir }) => `${name} runs on ${taskDirectories(stateDir).length} tasks' state of the other`).join(', ')}`;
  }
}
