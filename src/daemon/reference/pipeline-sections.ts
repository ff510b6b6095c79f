import type { KeyTable } from '../../pipeline/fields.js';
import * as keys from '../../pipeline/keys.js';
import { TOPIC_OPTIONS } from '../../pipeline/topic-options.js';
import { code, codes } from './markdown.js';

/** A map of the pipeline file. */
export interface Section {
  readonly title: string;
  /** 2 for a map at the top of the file, 3 for one inside of it. */
  readonly level: 2 | 3;
  /** What the map is for and how it is written shorter. */
  readonly about: string;
  readonly table: KeyTable;
  /** Keys whose value is another section's map, with that section's title. */
  readonly inside?: Readonly<Record<string, string>>;
}

/** In the order of the file; every table of pipeline/keys.ts stands in one of them. */
export const SECTIONS: readonly Section[] = [
  {
    title: 'Top of the file',
    level: 2,
    about: 'One file is one application. A file with one flow has `from`, `steps` and `to` here; one with several has them under `flows`.',
    table: keys.TOP_KEYS,
    inside: {
      kafka: 'Kafka',
      topics: 'Topics',
      tables: 'Tables',
      stores: 'Stores',
      batch: 'Batch',
      commit: 'Commit',
      onError: 'Errors',
      deadLetter: 'Dead letters',
      from: 'Inputs',
      steps: 'Steps',
      to: 'Outputs',
      flows: 'Flows',
      serve: 'Serving stores',
      tests: 'Tests',
    },
  },
  {
    title: 'Kafka',
    level: 2,
    about: [
      'Under `kafka`. Short: `kafka: host:9092` for `kafka: { brokers: host:9092 }`.',
      `Properties that ${code('client')} may not set, since the daemon does: ${codes(keys.OWNED_PROPERTIES)}.`,
    ].join(' '),
    table: keys.KAFKA_KEYS,
    inside: { sasl: 'Login', tls: 'TLS', registry: 'Schema registry' },
  },
  {
    title: 'Schema registry',
    level: 3,
    about: [
      'Under `kafka.registry`: one that speaks Confluent’s REST interface. Short: `registry: http://host:8081`.',
      'It is asked when a daemon starts and when a record names a schema that is not known yet; `kstreamd check` and `dev` do not ask it.',
    ].join(' '),
    table: keys.REGISTRY_KEYS,
    inside: { tls: 'TLS' },
  },
  { title: 'Login', level: 3, about: 'Under `kafka.sasl`.', table: keys.SASL_KEYS },
  {
    title: 'TLS',
    level: 3,
    about: 'Under `kafka.tls` and `kafka.registry.tls`; `tls: true` trusts the authorities of the system.',
    table: keys.TLS_KEYS,
  },
  {
    title: 'Topics',
    level: 2,
    about: 'Under `topics.NAME`: said once, and used as `NAME` in `from` and `to`, where what is said again wins.',
    table: keys.TOPIC_KEYS,
    inside: { key: 'Formats', value: 'Formats' },
  },
  {
    title: 'Formats',
    level: 3,
    about: [
      'Under `key` and `value` of topics, inputs, outputs and stores, which name a format, never data. Short: `value: int64`. `kstreamd list` shows the formats.',
      'avro, protobuf and json-schema need a schema. With `schema` alone the bytes are the value alone. With `subject`, or without `schema`, they begin with the',
      'number of a schema in `kafka.registry`: what others wrote is read as our schema has it, the file’s or else the newest of the subject when the daemon starts,',
      'and what we write has the number of ours, which is registered at the start where it is not yet.',
      '[Formats](formats.md) tells what each looks like, and what happens when something is wrong.',
    ].join(' '),
    table: keys.FORMAT_KEYS,
  },
  {
    title: 'Windowed keys',
    level: 3,
    about: [
      'Under `key`, in the place of a format: `key: { windowed: string, size: 5m }`. Keys are `{ key, window: { start, end } }` with times in epoch milliseconds,',
      'and bytes as Kafka Streams writes them: the key and the start of its window, or the key, the end and the start of its session.',
    ].join(' '),
    table: keys.WINDOWED_KEYS,
  },
  {
    title: 'Flows',
    level: 2,
    about: 'Under `flows.NAME`, or at the top of a file that has one flow, whose name is then `main`.',
    table: keys.FLOW_KEYS,
    inside: { from: 'Inputs', steps: 'Steps', to: 'Outputs' },
  },
  {
    title: 'Inputs',
    level: 3,
    about: 'Under `from`. Short: `from: orders`, and `from: [a, b]` for several. `flow:NAME` reads what another flow gives.',
    table: keys.INPUT_KEYS,
    inside: { key: 'Formats', value: 'Formats' },
  },
  {
    title: 'Outputs',
    level: 3,
    about: 'Under `to`. Short: `to: results`; `to: [a, b]` writes each record to both. `topic` or `route` must be there, and `topics` with a `route`.',
    table: keys.OUTPUT_KEYS,
    inside: { key: 'Formats', value: 'Formats' },
  },
  {
    title: 'Steps',
    level: 2,
    about: [
      'Under `steps`: a list, in which each step has one operation and beside it these settings.',
      '[Steps](steps.md) explains the operations and says which settings each takes.',
    ].join(' '),
    table: keys.STEP_KEYS,
    inside: { emit: 'Results once in a time', store: 'Stores', onError: 'Errors' },
  },
  {
    title: 'Results once in a time',
    level: 3,
    about: [
      'Under `emit`. Short: `emit: 10s`. The first result of a key begins to wait; later ones of the key take its place; and when stream time is `every` beyond the first,',
      'the one that stands there leaves, with its own timestamp and headers. So a key has at most one output in that time, the latest, and none is lost; one that stands when the input',
      'ends waits until stream time goes on. Everything that leaves the step is thinned out so. When more than `maxBytes` wait in a task, the oldest leave early, and',
      '`kstreamd_early_outputs_total` counts them. What waits is in a store `<flow>-<step>-emit` with a changelog of its own, on the engine and with the copies of the step’s own store:',
      'one record of a key for each commit that brings updates of it, and one when its output has left, in the same record where the next one begins to wait at once.',
    ].join(' '),
    table: keys.EMIT_KEYS,
  },
  { title: 'Arms of a branch', level: 3, about: 'Under `branch`: a list.', table: keys.ARM_KEYS, inside: { steps: 'Steps', to: 'Outputs' } },
  {
    title: 'Stores',
    level: 2,
    about: 'Under `stores.NAME`, and under `store` of a step for what differs from its own default.',
    table: keys.STORE_KEYS,
    inside: { key: 'Formats', value: 'Formats', changelog: 'Changelogs' },
  },
  {
    title: 'Tables',
    level: 2,
    about: [
      'Under `tables.NAME`: a store that a topic feeds and nobody else writes, with the last value of each key. Short: `customers: crm.customers`. The step `join` looks it up.',
      'Each task has the partition of the table that goes with its own partition of the stream, so both topics must have the same number of partitions and the same',
      'partitioner; a step `keyBy` before the join sees to that. The topic is its own changelog: nothing is written to it, and it should be compacted.',
      'A table starts at the beginning of its topic. With `global: true` every instance reads the whole topic, before anything is processed, and follows it from then on:',
      'a batch sees each partition of the topic up to one offset, and sees nothing newer until it ends. No order holds between the table and other topics: a record may meet',
      'a value that was written after it. What is still in an open transaction is neither waited for nor seen.',
      'With `type: versioned` a join finds the value that held at the time of the record, up to `history` back; `timestamped` keeps the time of each value for plugins.',
    ].join(' '),
    table: keys.TABLE_KEYS,
    inside: { key: 'Formats', value: 'Formats' },
  },
  {
    title: 'Changelogs',
    level: 3,
    about: [
      'Under `changelog` of a store. Each store has a changelog unless `changelog: false` says otherwise: the topic `<name>-<store>-changelog`, which holds the last',
      'value of every key, so that state moves to another instance and outlives its disk. The daemon makes it, compacted, with the partitions of the input;',
      'these options of Kafka, by their own names, are for a topic that is yet to be made. The cluster decides the replication factor, with `default.replication.factor`.',
      'With `standby: 1` one other instance follows the changelog and takes over from its copy; a takeover surely finds a copy only with `standby` at the number of',
      'instances less one. Processes that share a state directory count as one place: among them a task finds its state on the disk, and copies go to other machines.',
      'The instances tell each other what they run in the topic `<name>-instances`; where that cannot be used there are no copies, with a warning, and all else goes on.',
      'A store that is processed together with one that has no changelog gets no copies.',
      'With `changelog: false` the state stays on the disk where it is: on another machine the store starts empty.',
    ].join(' '),
    table: TOPIC_OPTIONS,
  },
  { title: 'Batch', level: 2, about: 'Under `batch`. Results never depend on it.', table: keys.BATCH_KEYS },
  {
    title: 'Commit',
    level: 2,
    about: [
      'Under `commit`. A commit makes outputs, changelogs and offsets durable, in that order; with `guarantee: exactly-once` they are one transaction of Kafka, and',
      'readers that set `isolation.level: read_committed` see all of it or nothing. What stores hold waits in memory until it is committed, and then goes to disk after `flush`',
      'at the latest, or sooner when more than 64 MB of it wait.',
      'With at-least-once, an instance that was frozen until its tasks had moved may, when it thaws, overwrite newer values in a changelog; exactly-once shuts it out.',
      'Exactly-once needs the classic `group.protocol`, and an `interval` of at most half of `transaction.timeout.ms` (under `kafka.client`, 60000 by default).',
    ].join(' '),
    table: keys.COMMIT_KEYS,
  },
  {
    title: 'Errors',
    level: 2,
    about: [
      'Under `onError`, of the file or of a step. Short: `fail`, `skip` or `dead-letter`.',
      'Without any it is `fail`, or `dead-letter` where `deadLetter` names a topic.',
      'The rule of a step covers what its own code throws; the rule of the file covers reading and writing too.',
    ].join(' '),
    table: keys.ERROR_KEYS,
  },
  { title: 'Dead letters', level: 3, about: 'Under `deadLetter`. Short: `deadLetter: orders.dlq`.', table: keys.DEAD_LETTER_KEYS },
  {
    title: 'Serving stores',
    level: 2,
    about: [
      'Under `serve`; [Queries](queries.md) tells what clients may ask. Short: `serve: 0.0.0.0:8080` for `serve: { http: 0.0.0.0:8080 }`. A process has one HTTP',
      'server for all its applications, so their files must not differ here, and what the daemon’s own options say (`--http`, `--http-token-file`, …) wins.',
    ].join(' '),
    table: keys.SERVE_KEYS,
  },
  {
    title: 'Tests',
    level: 2,
    about: [
      'Under `tests`: a list. `kstreamd test FILE` runs each on the real topology, with a broker, stores and a clock in memory; `kstreamd dev` sends what the tests send and',
      'what they put into tables.',
      '',
      '`send` is a map of topics, or a list of such maps. Inside a topic records come in the order written; between topics of one map the lowest time comes first.',
      'Topics have one partition unless a record or an entry says `partition`. Time begins at 2024-01-01T00:00:00Z and stands still unless `at`, `every` or `advance` moves it:',
      'a record without `at` has the time of the latest before it. `- advance: 1h`, an item of a list under `send`, moves the wall clock too. Everything sent to a topic between two',
      '`advance` is one batch, also behind a repartition topic; where a list sends to a table and to other topics, each sees what stands before it. Each test runs again with one record per batch: whatever does not come through a step with `emit: batch` must come',
      'out the same.',
      '',
      '`expect` names topics, each with a list of records in their order, `[]` for none, or `{ count: 3 }`; of a record only what is said is compared. With `match: contains` other',
      'records may stand between, and of maps only the entries said are compared. Topics that are not named are not looked at. `expectError: text` is part of the error, or its code,',
      'that must stop the run.',
      '',
      '`mock: { score: "({ ...value, score: 0.7 })" }` puts an expression, or a template, in the place of a plugin’s step: by the step’s `name`, or `<flow>-<name>` where several flows',
      'have one of that name. Its stores and what comes after it stay as they are, and the plugin’s own code does not run.',
    ].join('\n'),
    table: keys.TEST_KEYS,
    inside: {
      send: 'Records of tests',
      expect: 'Records of tests',
      tables: 'Entries of stores',
      stores: 'Entries of stores',
      expectStores: 'Entries of stores',
    },
  },
  {
    title: 'Records of tests',
    level: 3,
    about: 'Items of the lists under `send.TOPIC` and `expect.TOPIC`. Short: a scalar or a list is the value alone; a map is always a record.',
    table: keys.TEST_RECORD_KEYS,
    inside: { window: 'Windows of entries' },
  },
  {
    title: 'Entries of stores',
    level: 3,
    about: [
      'Under `tables.NAME`, `stores.NAME` and `expectStores.NAME`; stores that steps bring along are named `<flow>-<step>`. A map has the keys of the store as its keys; what stands',
      'behind one depends on the type:',
      '',
      '```yml',
      'stores:',
      '  plans: { ann: gold, bob: basic }                       # key-value: the value',
      '  prices: { tea: { value: 450, at: 2024-01-01T08:00:00Z } }   # timestamped',
      '  rates:                                                 # versioned: one, or a list',
      '    USD: [ { value: 0.90, at: 2024-01-01T08:00:00Z }, { value: 0.95, at: 2024-01-02T08:00:00Z } ]',
      '  clicks: { home: [ { value: 3, window: { start: 2024-01-01T10:00:00Z } } ] }   # window',
      '  visits: { ann: [ { value: 2, window: { start: 2024-01-01T10:00:00Z, end: 2024-01-01T10:20:00Z } } ] }   # session',
      '  carts: [ { key: { shop: s1, user: 7 }, value: [tea] } ]   # any type: keys that are no text',
      '```',
      '',
      'Keys and values are written in the formats of the store, and those that a format cannot write are errors of `check`. The entries are there before the steps are set up, in both',
      'runs of a test, and no step sees them come. Under `expectStores` null means that there is no such entry.',
    ].join('\n'),
    table: keys.TEST_ENTRY_KEYS,
    inside: { window: 'Windows of entries' },
  },
  {
    title: 'Windows of entries',
    level: 3,
    about: 'Under `window` of an expected record or of an entry: `window: { start: 2024-01-01T10:00:00Z, end: 2024-01-01T10:05:00Z }`.',
    table: keys.TEST_WINDOW_KEYS,
  },
];
