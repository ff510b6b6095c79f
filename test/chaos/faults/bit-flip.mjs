import { existsSync, rmSync } from 'node:fs';
import path from 'node:path';
import { flipBit } from '../damage.mjs';
import { must } from '../failure.mjs';
import { setAside, taskDirectories } from '../state-files.mjs';

/**
 * One bit of one LevelDB file is flipped while its instance is down after a crash. The instance comes back alone, so that it opens the
 * damaged task, and must set it aside and restore it (E4).
 */
class BitFlip {
  static repeats = true;
  #run;
  #file;
  #random;
  #instance;
  #flipped;
  #task;

  constructor(run, random, file) {
    this.#run = run;
    this.#file = file;
    this.#random = random;
    this.#instance = random.pick(run.fleet.instances);
  }

  async inject() {
    await this.#run.stopAll(this.#random, this.#instance);
    if (this.#flip()) return;
    // LevelDB makes a log into a table when it opens a database again: the second crash leaves both.
    await this.#run.fleet.start([this.#instance]);
    await this.#run.stopAll(this.#random, this.#instance);
    must(this.#flip(), `no task that was open when ${this.#instance.name} was killed has a file to damage: ${this.#file}`);
  }

  async heal() {
    await this.#run.fleet.start([this.#instance]);
    await this.#run.fleet.start();
  }

  prove() {
    const { name, stateDir } = this.#instance;
    const aside = setAside(stateDir);
    const { file, byte, bit } = this.#flipped;
    const where = `bit ${bit} of byte ${byte} of ${path.relative(stateDir, file)}`;
    const kept = aside.filter((directory) => directory.startsWith(`${this.#task}.corrupt-`));
    must(kept.length > 0, `${where} was flipped in the state of ${name}, and nothing was set aside`);
    for (const directory of aside) rmSync(directory, { recursive: true });
    return `${where} flipped; ${name} set ${path.relative(stateDir, kept[0])} aside`;
  }

  /** @returns {boolean} whether there was something to damage */
  #flip() {
    for (const task of this.#random.shuffle(openTasks(this.#instance.stateDir))) {
      this.#task = task;
      this.#flipped = flipBit(path.join(task, 'db'), this.#file, this.#random);
      if (this.#flipped) return true;
    }
    return false;
  }
}

/** The tasks that were open when the instance was killed: what was closed in order is not checked byte by byte (E4). */
function openTasks(stateDir) {
  return taskDirectories(stateDir).filter((directory) => existsSync(path.join(directory, 'open')));
}

const flipOf = (file) =>
  class extends BitFlip {
    static kind = `flip-${file}`;
    constructor(run, random) {
      super(run, random, file);
    }
  };

/** One for each kind of file that LevelDB keeps. */
export const BIT_FLIPS = ['table', 'log', 'manifest', 'current'].map(flipOf);
