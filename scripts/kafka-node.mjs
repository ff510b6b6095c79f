import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { run } from './command.mjs';
import { classArchive, kafkaJars } from './kafka-install.mjs';
import { RecordedProcess } from './kafka-process.mjs';

const HOST = '127.0.0.1';
/** Small, started fast: a broker for tests has few partitions and lives for minutes. */
const JVM = ['-Xms256m', '-Xmx512m', '-XX:+UseSerialGC', '-XX:-UsePerfData', '-Xshare:auto', '-Xlog:disable', '-Djava.awt.headless=true'];

/**
 * @typedef {object} NodeLayout one of a cluster's nodes; broker and controller at once
 * @property {number} id 1, 2 or 3
 * @property {number} port of the PLAINTEXT listener
 * @property {number} saslPort of the SASL_PLAINTEXT listener, 0 = none
 * @property {number} tlsPort of the SSL listener, 0 = none
 * @property {number} controllerPort
 */

/** Java's optimizing compiler works hardest in a broker's first minute, and costs more than it saves then. */
const LIGHT_COMPILER = '-XX:TieredStopAtLevel=1';

/** One Kafka process and its folder: settings, data, log and the record of its pid. */
export class KafkaNode {
  /** @type {NodeLayout} */
  layout;
  #folder;
  #process;
  #recordClassesIn;
  #shortLived;

  /**
   * @param {string} clusterFolder
   * @param {NodeLayout} layout
   * @param {{ recordClassesIn?: string, shortLived?: boolean }} [options] a class archive to write at a clean end; `shortLived`: see KafkaCluster
   */
  constructor(clusterFolder, layout, { recordClassesIn, shortLived = false } = {}) {
    this.layout = layout;
    this.#recordClassesIn = recordClassesIn;
    this.#shortLived = shortLived;
    this.#folder = path.join(clusterFolder, `node-${layout.id}`);
    this.#process = new RecordedProcess(path.join(this.#folder, 'process.json'));
  }

  get address() {
    return `${HOST}:${this.layout.port}`;
  }

  get saslAddress() {
    return `${HOST}:${this.layout.saslPort}`;
  }

  get tlsAddress() {
    return `${HOST}:${this.layout.tlsPort}`;
  }

  get logFile() {
    return path.join(this.#folder, 'kafka.log');
  }

  /** @returns {'running' | 'paused' | 'stopped'} */
  get state() {
    if (this.#process.pid === undefined) return 'stopped';
    return this.#process.isPaused ? 'paused' : 'running';
  }

  get pid() {
    return this.#process.pid;
  }

  /** Writes settings and formats the data folder, once in a node's life. */
  async format(settings, { clusterId, user, password }) {
    mkdirSync(path.join(this.#folder, 'data'), { recursive: true });
    writeFileSync(
      this.#settingsFile,
      Object.entries(settings)
        .map(([key, value]) => `${key}=${value}\n`)
        .join(''),
    );
    writeFileSync(this.#log4jFile, LOG4J);
    const scram = this.layout.saslPort === 0 ? [] : ['--add-scram', `SCRAM-SHA-512=[name=${user},password=${password}]`];
    await run('java', [
      LIGHT_COMPILER,
      ...this.#jvm(),
      'kafka.tools.StorageTool',
      'format',
      '--cluster-id',
      clusterId,
      '--config',
      this.#settingsFile,
      ...scram,
    ]);
  }

  get dataFolder() {
    return path.join(this.#folder, 'data');
  }

  start() {
    if (this.#process.pid !== undefined) return;
    const recording = this.#recordClassesIn === undefined ? [] : [`-XX:ArchiveClassesAtExit=${this.#recordClassesIn}`];
    const compiler = this.#shortLived ? [LIGHT_COMPILER] : [];
    this.#process.spawn('java', [...recording, ...compiler, ...this.#jvm(), 'kafka.Kafka', this.#settingsFile], this.logFile);
  }

  /** A clean shutdown: partitions are handed over, logs closed. */
  stop() {
    return this.#process.stop(this.#recordClassesIn === undefined ? STOP_PATIENCE_MS : ARCHIVE_PATIENCE_MS);
  }

  kill() {
    return this.#process.kill();
  }

  pause() {
    return this.#process.pause();
  }

  resume() {
    return this.#process.resume();
  }

  get #settingsFile() {
    return path.join(this.#folder, 'server.properties');
  }

  get #log4jFile() {
    return path.join(this.#folder, 'log4j2.properties');
  }

  #jvm() {
    const archive = existsSync(classArchive) ? [`-XX:SharedArchiveFile=${classArchive}`] : [];
    return [...JVM, ...archive, `-Dlog4j2.configurationFile=${this.#log4jFile}`, '-cp', path.join(kafkaJars, '*')];
  }
}

/** A node that loses its quorum while it shuts down would wait for minutes. */
const STOP_PATIENCE_MS = 10_000;
/** The archive of classes is written at the end, and a killed node leaves none. */
const ARCHIVE_PATIENCE_MS = 120_000;

/** Beside warnings: when the controller takes the broker for dead, and what that knows of it. */
const LOG4J = `status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %p %c{1} %m%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
logger.controller.name = org.apache.kafka.controller.ReplicationControlManager
logger.controller.level = info
logger.broker.name = kafka.server.BrokerLifecycleManager
logger.broker.level = info
`;

/**
 * server.properties of a node.
 *
 * @param {NodeLayout} node
 * @param {readonly NodeLayout[]} nodes all of the cluster's
 * @param {string} dataFolder
 * @param {object} of
 * @param {{ user: string, password: string }} of.login of the SASL listener
 * @param {{ keystore: string, truststore: string } | undefined} of.tls PEM files of the SSL listener
 * @param {Readonly<Record<string, string>>} of.extra overrides the rest
 */
export function nodeSettings(node, nodes, dataFolder, { login, tls, extra }) {
  const replicas = nodes.length;
  const minimum = replicas === 3 ? 2 : 1;
  return {
    'process.roles': 'broker,controller',
    'node.id': node.id,
    'controller.quorum.voters': nodes.map((each) => `${each.id}@${HOST}:${each.controllerPort}`).join(','),
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'log.dirs': dataFolder,
    ...listenerSettings(node, login),
    ...(tls === undefined ? {} : tlsSettings(tls)),
    'default.replication.factor': replicas,
    'min.insync.replicas': minimum,
    'offsets.topic.replication.factor': replicas,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': minimum,
    'transaction.state.log.num.partitions': 4,
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': minimum,
    'share.coordinator.state.topic.num.partitions': 4,
    'auto.create.topics.enable': false,
    'group.initial.rebalance.delay.ms': 0,
    'log.retention.ms': -1,
    'log.retention.bytes': -1,
    'num.network.threads': 2,
    'num.io.threads': 4,
    'log.cleaner.dedupe.buffer.size': 8_388_608,
    // A killed node may come back only after its session ended.
    'broker.session.timeout.ms': 4000,
    'broker.heartbeat.interval.ms': 1000,
    ...extra,
  };
}

function listenerSettings({ port, saslPort, tlsPort, controllerPort }, { user, password }) {
  const ports = Object.entries({ PLAINTEXT: port, SASL_PLAINTEXT: saslPort, SSL: tlsPort }).filter(([, each]) => each !== 0);
  const advertised = ports.map(([name, each]) => `${name}://${HOST}:${each}`).join(',');
  const listeners = {
    listeners: `${advertised},CONTROLLER://${HOST}:${controllerPort}`,
    'advertised.listeners': advertised,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SSL:SSL,CONTROLLER:PLAINTEXT',
  };
  if (saslPort === 0) return listeners;
  const login = (module, rest) => `org.apache.kafka.common.security.${module} required${rest};`;
  return {
    ...listeners,
    'sasl.enabled.mechanisms': 'SCRAM-SHA-512,PLAIN',
    'listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config': login('scram.ScramLoginModule', ''),
    'listener.name.sasl_plaintext.plain.sasl.jaas.config': login('plain.PlainLoginModule', ` user_${user}="${password}"`),
  };
}

/** Clients must show a certificate of the same authority. */
function tlsSettings({ keystore, truststore }) {
  return {
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': keystore,
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': truststore,
    'ssl.client.auth': 'required',
  };
}
