// `npm run kafka -- COMMAND`: a real Apache Kafka on loopback, for tests and for trying things out.
import { parseArgs } from 'node:util';
import { main, SetupError } from './command.mjs';
import { KafkaCluster, prepareKafka } from './kafka-cluster.mjs';
import { createTopic, sendLines } from './kafka-records.mjs';

const USAGE = `usage: npm run kafka -- COMMAND [options]

  install            get Java and Kafka's jars
  start              start a cluster, a new one or one that was stopped
      --nodes 1|3      three have replication factor 3 and min.insync.replicas 2
      --port N         of the first node, 9092 by default, 0 for any; the others follow
      --sasl           a second listener with SCRAM-SHA-512 and PLAIN
  stop [--clean]     shut down cleanly; --clean deletes its data too
  kill               SIGKILL
  pause, resume      SIGSTOP, SIGCONT
  restart [--hard]   stop (--hard: kill) and start
  status             every cluster, or the one of --name
  topic NAME [N]     make a topic of N partitions, 1 by default
  send TOPIC         send each line of the input as a record: VALUE, or KEY, a tab, VALUE

  --name NAME        for several clusters at once
  --node N           one node of three`;

const OPTIONS = {
  name: { type: 'string', default: 'default' },
  node: { type: 'string' },
  nodes: { type: 'string', default: '1' },
  port: { type: 'string', default: '9092' },
  sasl: { type: 'boolean', default: false },
  clean: { type: 'boolean', default: false },
  hard: { type: 'boolean', default: false },
};

const COMMANDS = {
  install: prepareKafka,
  async start({ name, node, nodes, port, sasl }) {
    const existing = KafkaCluster.find(name);
    if (existing !== undefined && node !== undefined) await existing.start(node);
    else await KafkaCluster.start({ name, nodes: number('--nodes', nodes), port: number('--port', port), sasl });
    print(cluster(name));
  },
  async stop({ name, node, clean }) {
    await cluster(name).stop(node);
    if (clean) await cluster(name).remove();
  },
  kill: ({ name, node }) => cluster(name).kill(node),
  pause: ({ name, node }) => cluster(name).pause(node),
  resume: ({ name, node }) => cluster(name).resume(node),
  async restart({ name, node, hard }) {
    await cluster(name).restart({ node, hard });
    print(cluster(name));
  },
  async status({ name }) {
    const clusters = name === OPTIONS.name.default ? KafkaCluster.list() : [cluster(name)];
    if (clusters.length === 0) console.log('no cluster');
    for (const each of clusters) print(each);
  },
  async topic({ name }, topic, partitions = '1') {
    const count = number('topic NAME', partitions);
    await createTopic(cluster(name).brokers, topic, count);
    console.log(`${topic}: ${count} partition${count === 1 ? '' : 's'}`);
  },
  async send({ name }, topic) {
    const count = await sendLines(cluster(name).brokers, topic, process.stdin);
    console.log(`${topic}: ${count} record${count === 1 ? '' : 's'} sent`);
  },
};

/** How many words a command takes after its name, at least and at most. */
const WORDS = { topic: [1, 2], send: [1, 1] };

function cluster(name) {
  const found = KafkaCluster.find(name);
  if (found === undefined) throw new SetupError(`there is no cluster ${name}; start it with: npm run kafka -- start --name ${name}`);
  return found;
}

function print(cluster) {
  console.log(`${cluster.name}: ${cluster.brokers}`);
  for (const { id, address, state, pid, logFile } of cluster.status()) {
    console.log(`  node ${id}  ${address}  ${state}${pid === undefined ? '' : `  pid ${pid}`}  ${logFile}`);
  }
  if (cluster.sasl !== undefined) console.log(`  sasl  ${cluster.sasl.brokers}  user ${cluster.sasl.user}  password ${cluster.sasl.password}`);
}

function number(what, text) {
  if (!/^\d+$/.test(text)) throw new SetupError(`${what} takes a number, not: ${text}`);
  return Number(text);
}

function parse() {
  try {
    return parseArgs({ options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw new SetupError(`${error.message}\n\n${USAGE}`);
  }
}

main(async () => {
  const { values, positionals } = parse();
  const [name = '', ...words] = positionals;
  const [least, most] = WORDS[name] ?? [0, 0];
  if (!Object.hasOwn(COMMANDS, name) || words.length < least || words.length > most) throw new SetupError(USAGE);
  await COMMANDS[name]({ ...values, node: values.node === undefined ? undefined : number('--node', values.node) }, ...words);
});
