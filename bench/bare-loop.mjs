/**
 * What a person would write by hand with the stock client, at-least-once: consume 1000, produce each record as it is, and every 100 ms
 * flush and commit. Same configuration of the client as kstreamd's. Arguments: brokers, group, input topic, output topic.
 */
import rdkafka from '@confluentinc/kafka-javascript';
import { consumerConfig, producerConfig } from '../dist/kafka/config.js';

const { RdKafka } = rdkafka;
const COMMIT_EVERY_MS = 100;
const [brokers, group, input, output] = process.argv.slice(2);

const failed = (error) => {
  process.stderr.write(`${error.stack ?? error.message}\n`);
  process.exit(1);
};

const { ERR__ASSIGN_PARTITIONS } = RdKafka.CODES.ERRORS;
const consumer = new RdKafka.KafkaConsumer({ ...consumerConfig({ brokers }, { groupId: group }), rebalance_cb: onRebalance });
const producer = new RdKafka.Producer(producerConfig({ brokers }));
const next = new Map();
let lastCommit = performance.now();
let stopping = false;

/** The group is new, so that everything is read from the beginning. */
function onRebalance(error, partitions) {
  if (error.code !== ERR__ASSIGN_PARTITIONS) return consumer.incrementalUnassign(partitions);
  if (partitions.length > 0) process.stderr.write('assigned\n');
  consumer.incrementalAssign(partitions.map(({ topic, partition }) => ({ topic, partition, offset: 0 })));
}

producer.on('delivery-report', (error) => error && failed(error));

function step() {
  if (stopping) return flushAndCommit(() => consumer.disconnect(() => producer.disconnect(() => process.exit(0))));
  consumer.consume(1000, (error, messages) => {
    if (error) return failed(error);
    for (const message of messages) {
      producer.produce(output, -1, message.value, message.key, message.timestamp);
      next.set(message.partition, message.offset + 1);
    }
    if (performance.now() - lastCommit < COMMIT_EVERY_MS) return step();
    lastCommit = performance.now();
    flushAndCommit(step);
  });
}

function flushAndCommit(then) {
  if (next.size === 0) return then();
  producer.flush(30_000, (error) => {
    if (error) return failed(error);
    consumer.commit(Array.from(next, ([partition, offset]) => ({ topic: input, partition, offset })));
    next.clear();
    then();
  });
}

process.on('SIGTERM', () => {
  stopping = true;
});
producer.connect({}, (error) => {
  if (error) return failed(error);
  producer.setPollInterval(100);
  consumer.connect({}, (refused) => {
    if (refused) return failed(refused);
    consumer.setDefaultConsumeTimeout(100);
    consumer.setDefaultIsTimeoutOnlyForFirstMessage(true);
    consumer.subscribe([input]);
    step();
  });
});
