import type { KeyTable } from './fields.js';

/** Keys at the top of a pipeline file. */
export const TOP_KEYS = {
  name: { description: 'consumer group, and prefix of internal topics', required: true },
  kafka: { description: 'the cluster: host:port, or a map with brokers, sasl, tls and client', required: true },
  guarantee: { description: 'what a failure may do: at-least-once (default) loses nothing and may repeat some; exactly-once does neither' },
  deadLetter: { description: 'topic for records that cannot be handled; makes dead-letter the default of onError' },
  onError: { description: 'what to do with a record that cannot be handled: fail, skip, dead-letter, or a map with retry' },
  env: { description: 'values that expressions read as env.NAME' },
  topics: { description: 'topics declared once, to be used by name in from and to' },
  tables: { description: 'read-only stores fed by topics, which joins look up' },
  stores: { description: 'stores that steps use by name' },
  batch: { description: 'how many records are taken at once' },
  commit: { description: 'how often progress is committed' },
  cache: { description: 'bytes of store entries kept in memory, over all stores; 64MB by default' },
  from: { description: 'what the flow reads: a topic, a list of them, or a map' },
  steps: { description: 'what is done with each record, in order' },
  to: { description: 'what the flow writes: a topic, a list of them, or a map' },
  flows: { description: 'several flows by name, each with from, steps and to' },
  serve: { description: 'who may read the stores by HTTP: host:port, or a map' },
  log: { description: 'what the file itself logs', notYet: true },
  tests: { description: 'records to send and outputs to expect' },
} as const satisfies KeyTable;

export const FLOW_KEYS = {
  from: { ...TOP_KEYS.from, required: true },
  steps: TOP_KEYS.steps,
  to: TOP_KEYS.to,
} as const satisfies KeyTable;

export const KAFKA_KEYS = {
  brokers: { description: 'host:port of some brokers, with commas between them', required: true },
  sasl: { description: 'how to log in' },
  tls: { description: 'true, or PEM texts' },
  registry: { description: 'schema registry: its URL, or a map with url, username, password and tls' },
  client: { description: "librdkafka's own properties, by their names" },
} as const satisfies KeyTable;

export const REGISTRY_KEYS = {
  url: { description: 'http:// or https://, host and port', required: true },
  username: { description: 'who logs in, by basic authentication' },
  password: { description: 'better from a file (passwordFile) or a variable', secret: true },
  tls: { description: 'with https: PEM texts, where its authority is not one of the system, or it wants a certificate' },
} as const satisfies KeyTable;

/** Those with text or PEM may be read from a file: `tokenFile`. */
export const SERVE_KEYS = {
  http: { description: "where the daemon's HTTP server listens, host:port; --http wins" },
  advertised: { description: 'host:port under which other instances reach it, where it is another' },
  token: { description: 'what clients beyond this machine send as bearer token, better from a file (tokenFile)', secret: true },
  cert: { description: 'HTTPS: its certificate and those between it and its authority, PEM' },
  key: { description: 'HTTPS: the private key, PEM, without a password', secret: true },
  ca: { description: 'certificates by which this instance knows the others, PEM; those of the system and its own by default' },
} as const satisfies KeyTable;

export const SASL_KEYS = {
  mechanism: { description: 'plain, scram-sha-256 or scram-sha-512', required: true },
  username: { description: 'who logs in', required: true },
  password: { description: 'better from a file (passwordFile) or a variable', required: true, secret: true },
} as const satisfies KeyTable;

export const TLS_KEYS = {
  ca: { description: 'certificates of the authorities to trust, PEM' },
  cert: { description: "the client's certificate, PEM" },
  key: { description: "the client's private key, PEM", secret: true },
  keyPassword: { description: 'password of the private key', secret: true },
} as const satisfies KeyTable;

/** Properties of librdkafka that the daemon sets itself. */
export const OWNED_PROPERTIES: readonly string[] = [
  'group.id',
  'enable.auto.commit',
  'isolation.level',
  'transactional.id',
  'partition.assignment.strategy',
  'plugin.library.paths',
];

const TOPIC_READING = {
  key: { description: 'format of the key, string by default' },
  value: { description: 'format of the value, json by default' },
  timestamp: { description: 'record (default), skip-invalid, partition-time, wall-clock, or an expression' },
  start: { description: 'where to begin without a committed offset: earliest (default), latest, committed, 2h, or an instant' },
} as const satisfies KeyTable;

export const TOPIC_KEYS = {
  topic: { description: "the topic's name, where it differs from the one declared" },
  ...TOPIC_READING,
  partitions: { description: 'partitions to create the topic with', notYet: true },
  options: { description: 'settings to create the topic with', notYet: true },
} as const satisfies KeyTable;

export const INPUT_KEYS = {
  topic: { description: 'one topic' },
  topics: { description: 'several topics' },
  ...TOPIC_READING,
  order: { description: 'partition: each partition in its own order' },
  idle: { description: 'how long to wait for an empty partition', notYet: true },
  idleAdvance: { description: 'when stream time follows the wall clock', notYet: true },
} as const satisfies KeyTable;

export const OUTPUT_KEYS = {
  topic: { description: 'the topic to write' },
  route: { description: 'an expression that gives the topic' },
  topics: { description: 'topics that a route may give' },
  key: { description: 'format of the key, that of the input by default' },
  value: { description: 'format of the value, that of the input by default' },
  partitioner: { description: 'murmur2 (default), round-robin, or ./file.js#name' },
} as const satisfies KeyTable;

export const FORMAT_KEYS = {
  format: { description: 'name of the format', required: true },
  schema: { description: 'schema file of avro, protobuf or json-schema, from the directory of the pipeline file' },
  subject: { description: 'subject in the schema registry; without a schema file, <topic>-key or <topic>-value by default' },
  message: { description: 'of protobuf: the message, where the file has several' },
  as: { description: 'bigint: integers of 64 bits are bigints, in int64, avro, protobuf and msgpack' },
} as const satisfies KeyTable;

export const WINDOWED_KEYS = {
  windowed: { description: 'format of the key inside', required: true },
  size: { description: 'length of the windows, which then have an end when they are read' },
  session: { description: 'true: the window is a session, whose end is in the key' },
} as const satisfies KeyTable;

export const STORE_KEYS = {
  type: { description: 'key-value (default), timestamped, versioned, window or session' },
  engine: { description: 'leveldb (default), memory, or ./file.js#name' },
  key: { description: 'format of the keys, string by default' },
  value: { description: 'format of the values, json by default' },
  changelog: { description: 'false: the store is kept on this machine only; or options of its topic' },
  ttl: { description: 'of a key-value store: how long an entry lives, in event time' },
  history: { description: 'of a versioned store: how far back versions are kept and late ones taken' },
  retention: { description: 'of a window or session store: how long windows stay after their start, or sessions after their end, in event time' },
  size: { description: 'of a window store: how long a window is' },
  standby: { description: 'how many other instances keep a copy, 0 by default' },
} as const satisfies KeyTable;

export const TABLE_KEYS = {
  topic: { description: 'the topic that feeds it, or the name of one under topics; the name of the table by default' },
  global: { description: 'true: every instance has all of it, so that joins can look up any key with by; false by default' },
  key: { description: 'format of the keys, string by default' },
  value: { description: 'format of the values, json by default' },
  timestamp: { description: 'record (default), skip-invalid, partition-time, wall-clock, or an expression; not of a global table' },
  type: { description: 'key-value (default), timestamped or versioned; not of a global table' },
  history: { description: 'of a versioned table: how far back a join can look' },
  engine: { description: 'leveldb (default), memory, or ./file.js#name' },
  standby: { description: 'how many other instances keep a copy, 0 by default; not of a global table' },
} as const satisfies KeyTable;

export const BATCH_KEYS = {
  maxRecords: { description: 'most records of one partition in a batch, 10000 by default' },
  maxWait: { description: 'how long a cycle takes further records, 100ms by default' },
  maxBytes: { description: 'bytes held before partitions are paused, 16MB by default' },
  adaptive: { description: 'moves the batch size toward a target latency', notYet: true },
} as const satisfies KeyTable;

export const COMMIT_KEYS = {
  interval: { description: 'time between commits: 0ms by default, which commits each cycle; 100ms with exactly-once' },
  flush: { description: 'longest time between a commit and the write of its state to disk, 1s by default' },
} as const satisfies KeyTable;

export const ERROR_KEYS = {
  retry: { description: 'how many further tries, 0 by default' },
  backoff: { description: 'wait before the first retry and at most; 200ms..5s by default' },
  // biome-ignore lint/suspicious/noThenProperty: it is a key of the language, and nobody awaits the table
  then: { description: "fail, skip or dead-letter, when no try succeeded; the file's own rule by default" },
} as const satisfies KeyTable;

export const DEAD_LETTER_KEYS = {
  topic: { description: 'the topic to write', required: true },
} as const satisfies KeyTable;

/** Settings of a step, beside its operation. */
export const STEP_KEYS = {
  name: { description: "the step's id: what its state and internal topics are named after" },
  if: { description: 'records for which it is false pass the step unchanged' },
  emit: { description: 'batch (default): one output per key and batch; update: one per input; 10s: one per key in 10 s of stream time, the latest' },
  store: { description: "the step's own store: the name of a declared one, or what differs from the default" },
  stores: { description: 'declared stores that a plugin may open' },
  onError: { description: 'what to do with a record that this step cannot handle' },
  with: { description: "a plugin's options" },
  window: { description: 'what span of time the state covers', notYet: true },
  as: { description: 'field that a join puts the other side in' },
  kind: { description: 'inner (default) or left join' },
  within: { description: 'how far apart in time', notYet: true },
  by: { description: 'what a join looks up in a global table' },
  concurrency: { description: 'how many records an async plugin works on at once', notYet: true },
} as const satisfies KeyTable;

export const EMIT_KEYS = {
  every: { description: 'at most one output of a key in so much stream time', required: true },
  maxBytes: { description: 'bytes that may wait in one task before the oldest output leaves early, 64MB by default' },
} as const satisfies KeyTable;

/** Operations of the language that this version does not have. */
export const LATER_OPERATIONS: readonly string[] = ['aggregate', 'reduce', 'dedupe', 'repartition', 'every'];

export const ARM_KEYS = {
  if: { description: 'takes the record when true; an arm without it takes all that reach it' },
  steps: { description: 'steps of this arm only' },
  to: { description: 'output of this arm; without it the records go on to the step after the branch' },
} as const satisfies KeyTable;

export const TEST_KEYS = {
  name: { description: 'what the test shows', required: true },
  send: { description: 'records by topic, or a list of such maps and of advance', required: true },
  expect: { description: 'records expected by topic: a list, or a count' },
  match: { description: 'how records are compared: exact (default) or contains' },
  expectStores: { description: 'entries expected by store' },
  expectError: { description: 'part of the error that must stop the run' },
  tables: { description: 'entries that are there before the first record, by table' },
  stores: { description: 'entries that are there before the first record, by store' },
  mock: { description: 'expressions in place of plugins, by step: each gives the new value, as map does' },
} as const satisfies KeyTable;

export const TEST_RECORD_KEYS = {
  key: { description: 'key of the record' },
  value: { description: 'value of the record' },
  raw: { description: 'the value as text, byte for byte' },
  headers: { description: 'headers as text by name' },
  at: { description: 'timestamp: an instant' },
  partition: { description: 'partition; what has none goes where Kafka’s partitioner puts its key' },
  times: { description: 'how many such records' },
  every: { description: 'time between them' },
  window: { description: 'window of an expected record: a map with start and end' },
} as const satisfies KeyTable;

export const TEST_ENTRY_KEYS = {
  key: { description: 'key of the entry; only in a list' },
  value: { description: 'value of the entry; null: in a versioned store absent from then on, under expectStores not there', required: true },
  at: { description: 'time of a timestamped value, of a version, or of an entry of a store with ttl: an instant; where tests begin by default' },
  window: { description: 'of a window or session store: a map with start and end' },
  partition: { description: 'partition of the task that has it; where Kafka’s partitioner puts the key by default' },
} as const satisfies KeyTable;

export const TEST_WINDOW_KEYS = {
  start: { description: 'an instant', required: true },
  end: { description: 'an instant: of a window the first one behind it, of a session the last one in it; a session store needs it' },
} as const satisfies KeyTable;
