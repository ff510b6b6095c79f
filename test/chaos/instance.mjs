import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { Daemon } from './daemon.mjs';
import { must } from './failure.mjs';

/** One of the instances: a state directory, and one process after the other that works with it. */
export class Instance {
  /** Every process so far; the last is the current one. */
  lives = [];
  /** A fault is at work that may end its process. */
  excused = false;
  #options;

  /** @param {{ name: string, command: string, file: string, folder: string, flags?: readonly string[] }} options `folder` is the instance's own */
  constructor(options) {
    this.#options = options;
    mkdirSync(options.folder, { recursive: true });
  }

  get name() {
    return this.#options.name;
  }

  get stateDir() {
    return path.join(this.#options.folder, 'state');
  }

  get daemon() {
    return this.lives.at(-1);
  }

  get running() {
    return this.daemon?.running === true;
  }

  /** Starts the next process; `ready` is another matter. */
  start() {
    must(!this.running, `instance ${this.name} runs already`);
    const { command, file, folder, flags } = this.#options;
    const logFile = path.join(path.dirname(folder), 'logs', `${this.name}-${this.lives.length + 1}.log`);
    mkdirSync(path.dirname(logFile), { recursive: true });
    this.lives.push(new Daemon({ command, file, stateDir: this.stateDir, logFile, flags }));
    return this.daemon;
  }

  /** SIGTERM; a daemon that does not end well has failed. */
  async stop() {
    const { code, signal } = await this.daemon.stop();
    must(code === 0, () => `instance ${this.name} ended with ${signal ?? code} after SIGTERM: ${this.daemon.lastWords}`);
  }

  async kill() {
    const { signal } = await this.daemon.kill();
    must(signal === 'SIGKILL', `instance ${this.name} ended before it was killed: ${this.daemon.lastWords}`);
  }
}
