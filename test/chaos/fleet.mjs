import { eventually } from './eventually.mjs';
import { must } from './failure.mjs';
import { Instance } from './instance.mjs';

const SETTLE_PATIENCE_MS = 60_000;

/** The instances of the application, a consumer group together. */
export class Fleet {
  instances;
  #tasks;

  /** @param {readonly ConstructorParameters<typeof Instance>[0][]} instances @param {number} tasks how many the application has */
  constructor(instances, tasks) {
    this.instances = instances.map((options) => new Instance(options));
    this.#tasks = tasks;
  }

  get running() {
    return this.instances.filter((instance) => instance.running);
  }

  get stopped() {
    return this.instances.filter((instance) => !instance.running);
  }

  others(instance) {
    return this.instances.filter((each) => each !== instance);
  }

  /** Starts what does not run, and waits until everything is shared out. */
  async start(instances = this.stopped) {
    for (const instance of instances) instance.start();
    await this.settled();
  }

  /** Waits until each task is run by one of the running instances. */
  async settled() {
    for (const { daemon } of this.running) await daemon.ready();
    await eventually(
      `${this.#tasks} tasks shared out`,
      async () => {
        for (const instance of this.instances) must(instance.running || this.#ended(instance), () => this.#diedAlone(instance));
        const tasks = await Promise.all(this.running.map(({ daemon }) => daemon.metric('tasks')));
        return tasks.reduce((sum, count) => sum + (count ?? 0), 0) === this.#tasks;
      },
      SETTLE_PATIENCE_MS,
    );
  }

  /** Throws when an instance ended though nobody made it end. */
  check() {
    for (const instance of this.instances) must(instance.running || this.#ended(instance), () => this.#diedAlone(instance));
  }

  /** Kills what still runs. */
  async close() {
    await Promise.all(this.running.map(({ daemon }) => daemon.kill()));
  }

  #ended(instance) {
    return instance.daemon === undefined || instance.daemon.exit?.signal === 'SIGKILL' || instance.daemon.exit?.code === 0 || instance.excused;
  }

  #diedAlone({ name, daemon }) {
    return `instance ${name} ended by itself (${JSON.stringify(daemon.exit)}): ${daemon.lastWords}`;
  }
}
