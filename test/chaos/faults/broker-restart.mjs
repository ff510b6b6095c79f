import { eventually } from '../eventually.mjs';
import { must } from '../failure.mjs';

/** The broker ends, cleanly or by SIGKILL, and comes back when the daemons have noticed. */
class BrokerRestart {
  static repeats = true;
  #run;
  #hard;
  #pids = [];

  constructor(run, hard) {
    this.#run = run;
    this.#hard = hard;
  }

  async inject() {
    const { broker, fleet } = this.#run;
    this.#pids.push(broker.status()[0].pid);
    await (this.#hard ? broker.kill() : broker.stop());
    await eventually('a daemon that misses its broker', async () => {
      const reachable = await Promise.all(fleet.running.map(({ daemon }) => daemon.metric('broker_reachable')));
      return reachable.includes(0);
    });
  }

  async heal() {
    await this.#run.broker.start();
    await this.#run.fleet.settled();
  }

  prove() {
    this.#pids.push(this.#run.broker.status()[0].pid);
    must(this.#pids[0] !== this.#pids[1], 'the broker has the pid it had before');
    return `the broker was process ${this.#pids[0]} and is ${this.#pids[1]}; daemons saw no broker in between`;
  }
}

export class CleanBrokerRestart extends BrokerRestart {
  static kind = 'broker-restart';
  constructor(run) {
    super(run, false);
  }
}

export class HardBrokerRestart extends BrokerRestart {
  static kind = 'broker-kill';
  constructor(run) {
    super(run, true);
  }
}
