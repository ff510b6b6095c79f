import { eventually } from '../eventually.mjs';
import { must } from '../failure.mjs';

const SAYS_FULL = /no space|ENOSPC|store\/(write|full|open)/i;

/** The disk under an instance's state has no byte left. The daemon may stop or wait; when there is room again it must go on as if nothing was. */
export class FullDisk {
  static kind = 'full-disk';
  static repeats = true;
  #run;
  #filled;
  #line;

  constructor(run) {
    this.#run = run;
  }

  /** Why it cannot be done here; undefined when it can. */
  static impossible(run) {
    return run.smallDisk.impossible;
  }

  async inject() {
    const { instance } = this.#run.smallDisk;
    const { daemon } = instance;
    const seen = daemon.log.length;
    instance.excused = true;
    this.#filled = this.#run.smallDisk.fill();
    const about = ({ level, msg, err = '', code = '' }) => (level === 'warn' || level === 'error') && SAYS_FULL.test(`${msg} ${JSON.stringify(err)} ${code}`);
    const words = () => daemon.log.slice(seen).find(about)?.msg ?? daemon.said.find((line) => SAYS_FULL.test(line));
    this.#line = await eventually('word of a daemon that its disk is full', words);
  }

  async heal() {
    const { instance } = this.#run.smallDisk;
    this.#run.smallDisk.empty();
    if (await endsSoon(instance.daemon)) instance.start();
    instance.excused = false;
    await this.#run.fleet.settled();
  }

  prove() {
    must(this.#filled > 0, 'there was no room to fill on the small disk');
    return `${this.#run.smallDisk.instance.name} had no room left after ${this.#filled} bytes were put in its way, and said: ${this.#line}`;
  }
}

/** A daemon that gives up over a full disk closes what it has open first. */
async function endsSoon(daemon) {
  const ended = () => !daemon.running;
  return eventually('the end', ended, 5000).then(
    () => true,
    () => false,
  );
}
