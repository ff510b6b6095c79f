import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { KafkaCluster } from '../../scripts/kafka-cluster.mjs';
import { INPUT, NAME, OUTPUTS, PARTITIONS, SESSION_TIMEOUT_MS, TASKS, writeApplication } from './application.mjs';
import { Checks } from './checks.mjs';
import { createTopics } from './clients.mjs';
import { eventually } from './eventually.mjs';
import { Fleet } from './fleet.mjs';
import { openFlows } from './flows.mjs';
import { GroupOffsets } from './group-offsets.mjs';
import { SmallDisk } from './small-disk.mjs';
import { TopicHistory } from './topic-history.mjs';
import { Writer } from './writer.mjs';

const KEYS = 300;
const GROUPS = 40;
const RATE = 2000;
const BROKER_SETTINGS = {
  'group.min.session.timeout.ms': SESSION_TIMEOUT_MS,
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': 500,
  // A broker that was killed is let in again after its session.
  'broker.session.timeout.ms': 1500,
  'broker.heartbeat.interval.ms': 300,
};

/** What a chaos run works on: a broker, the instances, the writer of the input, and the suite's own view of every topic. */
export class Bench {
  folder = mkdtempSync(path.join(tmpdir(), 'kstreamd-chaos-'));
  /** How often each number of the writer is in the input topic. */
  numbers = [];
  broker;
  fleet;
  writer;
  offsets;
  input;
  /** @type {import('./flows.mjs').Flow[]} */
  flows = [];
  checks;
  smallDisk;

  /**
   * @param {{ command: string, guarantee: 'exactly-once' | 'at-least-once', staticMembers: boolean }} options `command` is the executable
   * of the build under test
   */
  static async start(options) {
    const bench = new Bench();
    try {
      await bench.#start(options);
      return bench;
    } catch (error) {
      await bench.close();
      throw error;
    }
  }

  async #start({ command, guarantee, staticMembers }) {
    this.broker = await KafkaCluster.start({ name: `chaos-${process.pid}`, owned: true, shortLived: true, settings: BROKER_SETTINGS });
    const { brokers } = this.broker;
    await createTopics(brokers, [INPUT, ...Object.values(OUTPUTS)], PARTITIONS);
    const file = writeApplication(path.join(this.folder, 'chaos.yaml'), brokers, guarantee);
    this.smallDisk = new SmallDisk(path.join(this.folder, 'c'));
    const flags = (name) => (staticMembers ? ['--instance-id', name] : []);
    const options = ['a', 'b', 'c'].map((name) => ({ name, command, file, folder: path.join(this.folder, name), flags: flags(name) }));
    this.fleet = new Fleet(options, TASKS);
    this.smallDisk.instance = this.fleet.instances[2];
    this.writer = new Writer({ topic: INPUT, keys: KEYS, groups: GROUPS, rate: RATE });
    await this.writer.start(brokers);
    await eventually('the first record of the writer acknowledged', () => {
      this.writer.check();
      return this.writer.acknowledged > 0;
    });
    await this.fleet.start();
    await this.#observe(brokers, guarantee === 'exactly-once');
  }

  async #observe(brokers, exactlyOnce) {
    this.input = await new TopicHistory(INPUT, PARTITIONS, ({ key, value }) => this.#takeInput(key, value)).open(brokers);
    this.offsets = await new GroupOffsets(NAME).open(brokers);
    this.flows = await openFlows(brokers, this.input, this.offsets);
    this.checks = new Checks({ flows: this.flows, input: this.input, fleet: this.fleet, exactlyOnce });
  }

  /** `keep`: files stay, for whoever looks into a failure. */
  async close({ keep = false } = {}) {
    await this.fleet?.close();
    await this.writer?.close();
    for (const { changelog, output } of this.flows) await Promise.all([changelog.close(), output.close()]);
    await this.input?.close();
    await this.offsets?.close();
    await this.broker?.remove();
    if (keep) this.smallDisk?.keep();
    this.smallDisk?.unmount();
    if (keep) return;
    rmSync(this.folder, { recursive: true, force: true });
  }

  #takeInput(key, value) {
    const { n, g } = JSON.parse(value.toString());
    this.numbers[n] = (this.numbers[n] ?? 0) + 1;
    return [Number(key), Number(g)];
  }
}
