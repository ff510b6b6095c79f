/** What Prometheus needs to know of a metric, and what keeps its labels bounded. */
export interface MetricSpec {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  /** Exactly the labels every series has. */
  readonly labels: readonly LabelName[];
  /** Upper bounds of a histogram, in the unit that the name ends in. */
  readonly buckets?: readonly number[];
}

/**
 * Where label values come from; each set is fixed by the pipeline file, the topics' partitions or a list in
 * the source, never by records, so the number of series is bounded.
 */
export const LABELS = {
  topic: 'A topic that the pipeline names.',
  partition: 'A number of a partition.',
  step: 'A step, by the name of its node: flow and id of the step.',
  store: 'A store.',
  stage: 'Where an error struck: `deserialize`, `process`, `serialize`, `produce` or `punctuate`.',
  policy: 'What was done with the record: `fail`, `skip` or `dead-letter`.',
  type: 'What the callback goes by: `stream-time` or `wall-clock`.',
  event: '`assigned`, `revoked` or `lost`.',
  result: '`ok` or `failed`; of a transaction `committed` or `aborted`; of a snapshot also `refused`.',
  reason: 'Why it happened, in a word.',
  kind: 'What was asked: `get` one key, a `range`, or as a `peer` on behalf of another instance.',
  outcome: '`answered`, `absent`, `refused`, `unavailable` or `failed`.',
  quantile: '`0.5`, `0.9`, `0.99` or `1`.',
  path: '`packed` or `stock`.',
  version: 'Version of kstreamd.',
  node: 'Version of Node.js.',
} as const;

export type LabelName = keyof typeof LABELS;

const SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const RESTORE_SECONDS = [0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600];
const BYTES = [1e3, 1e4, 1e5, 1e6, 2.5e6, 5e6, 1e7, 2.5e7, 5e7, 1e8];
const RECORDS = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 25_000];

/** Every metric of the daemon's own, without its `kstreamd_` prefix. Dashboards and alerts may name these only. */
export const METRICS = {
  info: { type: 'gauge', help: 'Always 1; the labels tell the versions of kstreamd and Node.', labels: ['version', 'node'] },
  transport_info: { type: 'gauge', help: '1 with the path that records take: packed, or stock where the addon cannot be had.', labels: ['path'] },
  ready: { type: 'gauge', help: '1 while /ready answers 200, else 0.', labels: [] },
  broker_reachable: { type: 'gauge', help: '1 while at least one broker is connected, else 0.', labels: [] },

  records_in_total: { type: 'counter', help: 'Records taken from input topics.', labels: ['topic'] },
  bytes_in_total: { type: 'counter', help: 'Bytes of keys and values taken from input topics.', labels: ['topic'] },
  batches_in_total: { type: 'counter', help: 'Batches taken from input topics; each holds records of one partition.', labels: ['topic'] },
  batch_size_records: { type: 'histogram', help: 'Records in a batch taken from an input topic.', labels: ['topic'], buckets: RECORDS },
  records_out_total: { type: 'counter', help: 'Records handed to the producer.', labels: ['topic'] },
  bytes_out_total: { type: 'counter', help: 'Bytes of keys and values handed to the producer.', labels: ['topic'] },
  batches_out_total: { type: 'counter', help: 'Batches of output records handed to the producer.', labels: ['topic'] },
  early_outputs_total: { type: 'counter', help: 'Outputs of a step with `emit: <duration>` that left early, because too many bytes waited.', labels: ['step'] },
  inputs_gone_without_total: {
    type: 'counter',
    help: 'Times that inputs which share a store went on without a partition of this topic, because for long nothing of it came.',
    labels: ['topic'],
  },
  records_dropped_total: { type: 'counter', help: 'Records left out on purpose, by the step that did and why.', labels: ['step', 'reason'] },

  poll_duration_seconds: { type: 'histogram', help: 'Time one read of the consumer took, waiting included.', labels: [], buckets: SECONDS },
  process_duration_seconds: {
    type: 'histogram',
    help: 'Time one batch took from its source through all its steps.',
    labels: ['topic'],
    buckets: SECONDS,
  },
  flush_duration_seconds: { type: 'histogram', help: 'Time until the brokers acknowledged all outputs of a commit.', labels: [], buckets: SECONDS },
  commit_duration_seconds: { type: 'histogram', help: 'Time a commit took, from its flush to the stores written.', labels: [], buckets: SECONDS },
  commits_total: { type: 'counter', help: 'Offset commits.', labels: ['result'] },
  transactions_total: { type: 'counter', help: 'Transactions of the producer, under exactly-once.', labels: ['result'] },
  transaction_duration_seconds: {
    type: 'histogram',
    help: 'Time from the first record of a transaction until it was committed or aborted.',
    labels: ['result'],
    buckets: SECONDS,
  },

  lag_records: { type: 'gauge', help: 'Records between the last committed one and the end of the partition.', labels: ['topic', 'partition'] },
  held_bytes: { type: 'gauge', help: 'Bytes read and not yet processed.', labels: [] },
  paused_partitions: { type: 'gauge', help: 'Partitions paused because too many bytes are held.', labels: [] },

  tasks: { type: 'gauge', help: 'Tasks this instance runs.', labels: [] },
  restoring_tasks: { type: 'gauge', help: 'Tasks of this instance that wait for their stores to be restored.', labels: [] },
  rebalances_total: { type: 'counter', help: 'Assignments of partitions that came, went or were lost.', labels: ['event'] },
  rewinds_total: { type: 'counter', help: 'Times that work since the last commit was dropped and read again.', labels: ['reason'] },
  punctuations_total: { type: 'counter', help: 'Scheduled callbacks that fired.', labels: ['step', 'type'] },

  errors_total: { type: 'counter', help: 'Records that a stage of a step could not handle, by what was done with them.', labels: ['step', 'stage', 'policy'] },
  retries_total: { type: 'counter', help: 'Further tries of failed records.', labels: ['step'] },

  store_reads_total: { type: 'counter', help: 'Keys read from a store.', labels: ['store'] },
  store_cache_bytes: { type: 'gauge', help: 'Bytes of the store entries in the cache, which `cache` bounds.', labels: [] },
  store_cache_misses_total: { type: 'counter', help: 'Keys of those read that the engine was asked for.', labels: ['store'] },
  store_cache_hits_total: { type: 'counter', help: 'Keys of those read that the write buffer or the cache held.', labels: ['store'] },
  store_writes_total: { type: 'counter', help: 'Keys put or deleted in a store.', labels: ['store'] },
  store_read_bytes_total: { type: 'counter', help: 'Bytes of values read from the store engine.', labels: ['store'] },
  store_written_bytes_total: { type: 'counter', help: 'Bytes of keys and values written to the store engine.', labels: ['store'] },
  store_dropped_writes_total: {
    type: 'counter',
    help: 'Writes that a window, session or versioned store dropped because they came too late.',
    labels: ['store'],
  },
  store_flush_duration_seconds: { type: 'histogram', help: 'Time the store engine took to write one commit of a task.', labels: [], buckets: SECONDS },
  store_flush_bytes: { type: 'histogram', help: 'Bytes of one commit of a task that were written to the store engine.', labels: [], buckets: BYTES },
  store_unflushed_bytes: { type: 'gauge', help: 'Bytes of writes that wait in memory for a flush, over all tasks.', labels: [] },
  state_set_aside_total: { type: 'counter', help: 'Task directories found damaged and set aside, to be restored from the changelogs.', labels: [] },
  store_empty_starts_total: { type: 'counter', help: 'Stores without a changelog that started empty although input had been committed.', labels: ['store'] },

  restore_records_total: { type: 'counter', help: 'Changelog records put back into a store before its task started.', labels: ['store'] },
  restore_remaining_records: {
    type: 'gauge',
    help: 'Offsets of the changelog that are still to be put back before the task starts.',
    labels: ['store', 'partition'],
  },
  restore_duration_seconds: { type: 'histogram', help: 'Time until all stores of a task were restored.', labels: [], buckets: RESTORE_SECONDS },
  restore_rebuilds_total: { type: 'counter', help: 'Stores emptied and built anew from the start of their changelog.', labels: ['store', 'reason'] },
  restore_skipped_records_total: { type: 'counter', help: 'Changelog records without a key, which no store can hold.', labels: ['store'] },
  standby_records_total: { type: 'counter', help: 'Changelog records put into stores of tasks that another instance runs.', labels: ['store'] },
  standby_lag_records: { type: 'gauge', help: 'Offsets of the changelog that a standby store does not have yet.', labels: ['store', 'partition'] },
  global_table_records_total: { type: 'counter', help: 'Records of its topic that a global table took up after it was complete.', labels: ['store'] },
  global_table_lag_records: {
    type: 'gauge',
    help: 'Offsets of its topic that a global table does not have yet, once it was complete.',
    labels: ['store', 'partition'],
  },

  queries_total: { type: 'counter', help: 'Queries of stores by HTTP, by what became of them.', labels: ['store', 'kind', 'outcome'] },
  query_duration_seconds: {
    type: 'histogram',
    help: 'Time until a query was answered, other instances that were asked included.',
    labels: ['kind'],
    buckets: SECONDS,
  },

  snapshots_total: { type: 'counter', help: 'Snapshots of tasks’ state that were stored, or could not be.', labels: ['result'] },
  snapshot_age_seconds: {
    type: 'gauge',
    help: 'Time since the last snapshot of a task was up to date, of the task where it is longest; before the first one, since the task came here.',
    labels: [],
  },
  snapshot_uploaded_bytes_total: { type: 'counter', help: 'Bytes of files sent for snapshots.', labels: [] },
  snapshot_duration_seconds: {
    type: 'histogram',
    help: 'Time until a snapshot was stored, from the copy of its files on.',
    labels: [],
    buckets: RESTORE_SECONDS,
  },
  snapshot_restores_total: {
    type: 'counter',
    help: 'Tasks that began from a snapshot (`ok`), snapshots that could not be used (`refused`), and times that none could be read (`failed`).',
    labels: ['result'],
  },

  event_loop_delay_seconds: { type: 'gauge', help: 'How late the event loop ran since the scrape before, by quantile.', labels: ['quantile'] },
} as const satisfies Readonly<Record<string, MetricSpec>>;

/** What every name has in front when Prometheus sees it. */
export const METRIC_PREFIX = 'kstreamd_';

/** Bounds of what plugins may add: distinct metrics, and series of each of them. */
export const USER_METRICS = { prefix: 'user_', maxMetrics: 100, maxSeries: 1000 } as const;
