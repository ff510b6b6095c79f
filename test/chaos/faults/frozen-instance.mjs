import { setTimeout as delay } from 'node:timers/promises';
import { SESSION_TIMEOUT_MS } from '../application.mjs';
import { eventually } from '../eventually.mjs';
import { must } from '../failure.mjs';

const FROZEN_MS = 1.5 * SESSION_TIMEOUT_MS;
/** What the log of an instance says whose work belongs to others by now. */
const OUTDATED = /fenced|lost|illegal generation|unknown member|gave our partitions|migrated/i;

/**
 * An instance stands still until the group has given its tasks to others, then goes on as if nothing had happened. Exactly-once must fence
 * what it still wants to write; at-least-once cannot (C2), so afterwards a changelog may hold older counts.
 */
export class FrozenInstance {
  static kind = 'frozen-instance';
  static repeats = true;
  static regresses = true;
  #run;
  #instance;
  #takers;
  #thawedAt;

  constructor(run, random) {
    this.#run = run;
    this.#instance = random.pick(run.fleet.instances);
  }

  async inject() {
    const others = this.#run.fleet.others(this.#instance);
    const seen = new Map(others.map(({ daemon }) => [daemon, daemon.log.length]));
    const taken = ({ daemon }) => daemon.log.slice(seen.get(daemon)).some(({ event, partitions = [] }) => event === 'assigned' && partitions.length > 0);
    await this.#instance.daemon.freeze();
    await delay(FROZEN_MS);
    await eventually('tasks of the frozen instance taken by others', () => others.some(taken));
    this.#takers = others.filter(taken).map(({ name }) => name);
  }

  async heal() {
    this.#thawedAt = this.#instance.daemon.log.length;
    await this.#instance.daemon.thaw();
  }

  async prove() {
    const { daemon, name } = this.#instance;
    const outdated = ({ event, msg, err = '', code = '' }) => event === 'lost' || OUTDATED.test(`${msg} ${err} ${code}`);
    const line = await daemon.until('word of a thawed instance that it is out of date', () => daemon.log.slice(this.#thawedAt).find(outdated));
    must(this.#takers.length > 0, 'nobody took the tasks of the frozen instance');
    await this.#run.fleet.settled();
    return `${name} stood still, ${this.#takers.join(' and ')} took its tasks; it said: ${line.msg}`;
  }
}
