import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { SetupError, step } from './command.mjs';
import { freePorts } from './free-ports.mjs';
import { classArchive, installKafka } from './kafka-install.mjs';
import { KafkaNode, nodeSettings } from './kafka-node.mjs';
import { identityOf, isAlive } from './kafka-process.mjs';
import { clusterReady } from './kafka-ready.mjs';

const READY_PATIENCE_MS = 60_000;
const clustersFolder = path.join(tmpdir(), `kstreamd-kafka-${process.getuid?.() ?? 'user'}`);

/** An Apache Kafka on loopback, for tests: one or three nodes, in a folder of its own under the temporary directory. */
export class KafkaCluster {
  #folder;
  #plan;
  #nodes;

  /**
   * Starts a new cluster, or one that was stopped; installs Kafka first where it is not. `shortLived`: for some minutes of tests, it takes
   * little of the processor until it is warm, and is slower than Kafka can be from then on; not for measurements.
   */
  static async start({ name = 'default', nodes = 1, port = 0, sasl = false, tls, owned = false, shortLived = false, settings = {} } = {}) {
    await prepareKafka();
    const cluster = KafkaCluster.find(name) ?? (await create({ name, nodes, port, sasl, tls, owned, shortLived, settings }));
    await cluster.start();
    return cluster;
  }

  /** @returns {KafkaCluster | undefined} the cluster of that name, running or not */
  static find(name = 'default') {
    const folder = path.join(clustersFolder, name);
    const file = path.join(folder, 'cluster.json');
    return existsSync(file) ? new KafkaCluster(folder, JSON.parse(readFileSync(file, 'utf8'))) : undefined;
  }

  static list() {
    if (!existsSync(clustersFolder)) return [];
    return readdirSync(clustersFolder).flatMap((name) => KafkaCluster.find(name) ?? []);
  }

  /** Removes clusters whose owner ended without doing so: a test run that was killed. */
  static async removeAbandoned() {
    for (const cluster of KafkaCluster.list()) if (cluster.#plan.owner !== undefined && !isAlive(cluster.#plan.owner)) await cluster.remove();
  }

  constructor(folder, plan) {
    this.#folder = folder;
    this.#plan = plan;
    this.#nodes = plan.nodes.map((layout) => new KafkaNode(folder, layout, plan));
  }

  get name() {
    return this.#plan.name;
  }

  /** `bootstrap.servers` of the plain listener. */
  get brokers() {
    return this.#nodes.map((node) => node.address).join(',');
  }

  /** The SASL listener (SCRAM-SHA-512 and PLAIN), when the cluster was made with one. */
  get sasl() {
    const { login, nodes } = this.#plan;
    return nodes[0].saslPort === 0 ? undefined : { brokers: this.#nodes.map((node) => node.saslAddress).join(','), ...login };
  }

  /** `bootstrap.servers` of the TLS listener, when the cluster was made with one. */
  get tls() {
    return this.#plan.nodes[0].tlsPort ? { brokers: this.#nodes.map((node) => node.tlsAddress).join(',') } : undefined;
  }

  status() {
    return this.#nodes.map((node) => ({ id: node.layout.id, address: node.address, state: node.state, pid: node.pid, logFile: node.logFile }));
  }

  /** Starts the node, or all; returns when the running nodes form a cluster. */
  async start(node) {
    for (const each of this.#pick(node)) each.start();
    await this.ready();
  }

  /** Clean shutdown of the node, or of all; data stays. */
  async stop(node) {
    await Promise.all(this.#pick(node).map((each) => each.stop()));
  }

  /** SIGKILL. */
  async kill(node) {
    await Promise.all(this.#pick(node).map((each) => each.kill()));
  }

  /** SIGSTOP: connections stay open and nothing answers. */
  async pause(node) {
    await Promise.all(this.#pick(node).map((each) => each.pause()));
  }

  /** SIGCONT. */
  async resume(node) {
    await Promise.all(this.#pick(node).map((each) => each.resume()));
  }

  async restart({ node, hard = false } = {}) {
    await (hard ? this.kill(node) : this.stop(node));
    await this.start(node);
  }

  /** Returns when every running node sees all running nodes and a controller. */
  async ready() {
    const running = this.#nodes.filter((node) => node.state === 'running');
    await clusterReady(running, running.length, READY_PATIENCE_MS);
  }

  /** Kills what runs and deletes all data. */
  async remove() {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #pick(id) {
    if (id === undefined) return this.#nodes;
    const node = this.#nodes.find((each) => each.layout.id === id);
    if (node === undefined) throw new SetupError(`cluster ${this.name} has no node ${id}`);
    return [node];
  }
}

/** Kafka, and the archive of its classes, which a first cluster writes when it ends. */
export async function prepareKafka() {
  await installKafka();
  if (existsSync(classArchive)) return;
  await step('starting Apache Kafka once, to archive its parsed classes for faster starts', async () => {
    const recording = `${classArchive}.${process.pid}`;
    const cluster = await create({ name: `archive-${process.pid}`, nodes: 1, port: 0, sasl: true, owned: true, settings: {}, recordClassesIn: recording });
    await cluster.start();
    await cluster.stop();
    await cluster.remove();
    renameSync(recording, classArchive);
  });
}

async function create({ name, nodes: count, port, sasl, tls, owned, shortLived, settings, recordClassesIn }) {
  if (!/^[a-z0-9-]+$/.test(name)) throw new SetupError(`a cluster's name is made of a-z, 0-9 and -, not: ${name}`);
  if (count !== 1 && count !== 3) throw new SetupError('a cluster has 1 or 3 nodes');
  const free = await freePorts(count * 4);
  const plan = {
    name,
    clusterId: clusterId(),
    login: { user: 'kstreamd', password: randomBytes(9).toString('base64url') },
    nodes: Array.from({ length: count }, (_, index) => ({
      id: index + 1,
      port: port === 0 ? free[index] : port + index,
      controllerPort: free[count + index],
      saslPort: sasl ? free[2 * count + index] : 0,
      tlsPort: tls ? free[3 * count + index] : 0,
    })),
    ...(recordClassesIn === undefined ? {} : { recordClassesIn }),
    ...(shortLived ? { shortLived } : {}),
    ...(owned ? { owner: identityOf(process.pid) } : {}),
  };
  const folder = path.join(clustersFolder, name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const format = (layout) => {
    const node = new KafkaNode(folder, layout);
    return node.format(nodeSettings(layout, plan.nodes, node.dataFolder, { login: plan.login, tls, extra: settings }), {
      clusterId: plan.clusterId,
      ...plan.login,
    });
  };
  await Promise.all(plan.nodes.map(format));
  // Written last: a cluster that is found is complete.
  writeFileSync(path.join(folder, 'cluster.json'), JSON.stringify(plan, undefined, 2), { mode: 0o600 });
  return new KafkaCluster(folder, plan);
}

/** Kafka's tools take one that begins with a dash for an option. */
function clusterId() {
  const id = randomBytes(16);
  id[0] &= 0x7f;
  return id.toString('base64url');
}
