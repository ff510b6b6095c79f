const READ = 1000;

/** Records as the stock client's objects. */
export function stockPath() {
  let consumer;
  let producer;
  let output;

  const read = () => new Promise((resolve, reject) => consumer.consume(READ, (error, messages) => (error ? reject(error) : resolve(messages))));
  const each = async (seen, work) => {
    for (const message of await read()) {
      work(message);
      seen(message.partition, message.offset + 1);
    }
  };
  const value = Buffer.alloc(8);
  return {
    config: () => ({}),
    attach(...given) {
      [consumer, producer, output] = given;
      consumer.setDefaultConsumeTimeout(100);
      consumer.setDefaultIsTimeoutOnlyForFirstMessage(true);
    },
    echo: (seen) => each(seen, (message) => producer.produce(output, -1, message.value, message.key, message.timestamp)),
    filter: (seen) =>
      each(seen, (message) => {
        if (JSON.parse(message.value).n % 2 === 0) producer.produce(output, -1, message.value, message.key, message.timestamp);
      }),
    count: (seen, counts) =>
      each(seen, (message) => {
        value.writeUInt32BE(counts.add(message.key.latin1Slice()), 4);
        producer.produce(output, -1, value, message.key, message.timestamp);
      }),
    async log(changelog, { changed, counts }) {
      for (const key of changed) {
        value.writeUInt32BE(counts.get(key), 4);
        // A key stays in the partition of its input, which has the same number of partitions and the same partitioner.
        producer.produce(changelog, -1, value, Buffer.from(key, 'latin1'), Date.now());
      }
    },
    settled: async () => {},
    detach: async () => {},
  };
}
