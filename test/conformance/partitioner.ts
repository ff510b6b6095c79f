/** Vectors of Java's partitioner, from Apache Kafka's own tests and code (kinds `murmur2` and `partition`). */
export const javaHashes = [
  { name: '"21"', key: Buffer.from('21'), hash: -973932308 },
  { name: 'a long string', key: Buffer.from('a-little-bit-long-string'), hash: -985981536 },
  { name: 'a longer string', key: Buffer.from('lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8'), hash: -58897971 },
  { name: 'no bytes', key: Buffer.alloc(0), hash: 275646681 },
  { name: 'text outside ASCII', key: Buffer.from('ключ'), hash: 2122343024 },
  { name: 'a big-endian integer', key: Buffer.from('00000001', 'hex'), hash: -173113808 },
];

export const javaPartitions = [
  { key: '21', partitions: 10, partition: 0 },
  { key: 'foobar', partitions: 4, partition: 2 },
  { key: 'foobar', partitions: 10, partition: 6 },
  { key: 'abc', partitions: 3, partition: 0 },
  { key: 'abc', partitions: 4, partition: 3 },
  { key: 'a-little-bit-longer-string', partitions: 10, partition: 9 },
  { key: 'kafka', partitions: 6, partition: 4 },
  { key: 'user-1', partitions: 12, partition: 8 },
  { key: 'A', partitions: 3, partition: 1 },
];
