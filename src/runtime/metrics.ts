import type { RecordError } from '../core/errors.js';
import type { Counter, Gauge, Histogram, Labels, Metrics } from '../core/metrics.js';
import type { FinalErrorPolicy } from '../core/policy.js';
import type { PunctuationType } from '../core/processor.js';
import type { TopicPartition } from '../core/transport.js';
import type { StoreCounters } from './store-counters.js';

/** What is counted per topic, looked up once. */
interface InputMetrics {
  readonly records: Counter;
  readonly bytes: Counter;
  readonly batches: Counter;
  readonly size: Histogram;
  readonly duration: Histogram;
}

interface OutputMetrics {
  readonly records: Counter;
  readonly bytes: Counter;
  readonly batches: Counter;
}

/** The engine's instruments, by the names that telemetry declares. Everything is counted per batch, never per record. */
export class EngineMetrics {
  readonly poll: Histogram;
  readonly flush: Histogram;
  readonly commit: Histogram;
  readonly storeFlush: Histogram;
  readonly restore: Histogram;
  readonly flushBytes: Histogram;
  readonly tasks: Gauge;
  readonly restoringTasks: Gauge;
  readonly unflushedBytes: Gauge;
  readonly cacheBytes: Gauge;
  readonly heldBytes: Gauge;
  readonly pausedPartitions: Gauge;
  readonly brokerReachable: Gauge;
  private readonly inputs = new Map<string, InputMetrics>();
  private readonly outputs = new Map<string, OutputMetrics>();
  private readonly stores = new Map<string, Record<keyof StoreCounters | 'misses', Counter>>();

  constructor(readonly registry: Metrics) {
    this.poll = registry.histogram('poll_duration_seconds');
    this.flush = registry.histogram('flush_duration_seconds');
    this.commit = registry.histogram('commit_duration_seconds');
    this.storeFlush = registry.histogram('store_flush_duration_seconds');
    this.restore = registry.histogram('restore_duration_seconds');
    this.flushBytes = registry.histogram('store_flush_bytes');
    this.tasks = registry.gauge('tasks');
    this.restoringTasks = registry.gauge('restoring_tasks');
    this.unflushedBytes = registry.gauge('store_unflushed_bytes');
    this.cacheBytes = registry.gauge('store_cache_bytes');
    this.heldBytes = registry.gauge('held_bytes');
    this.pausedPartitions = registry.gauge('paused_partitions');
    this.brokerReachable = registry.gauge('broker_reachable');
  }

  read(topic: string, records: number, bytes: number): void {
    const input = this.input(topic);
    input.records.add(records);
    input.bytes.add(bytes);
  }

  processed(topic: string, records: number, seconds: number): void {
    const input = this.input(topic);
    input.batches.add();
    input.size.observe(records);
    input.duration.observe(seconds);
  }

  sent(topic: string, records: number, bytes: number): void {
    let output = this.outputs.get(topic);
    if (!output) {
      output = {
        records: this.registry.counter('records_out_total', { topic }),
        bytes: this.registry.counter('bytes_out_total', { topic }),
        batches: this.registry.counter('batches_out_total', { topic }),
      };
      this.outputs.set(topic, output);
    }
    output.records.add(records);
    output.bytes.add(bytes);
    output.batches.add();
  }

  dropped(step: string, reason: string, records: number): void {
    this.registry.counter('records_dropped_total', { step, reason }).add(records);
  }

  goneWithout(topic: string): void {
    this.registry.counter('inputs_gone_without_total', { topic }).add();
  }

  error(error: RecordError, policy: FinalErrorPolicy): void {
    this.registry.counter('errors_total', { step: error.node ?? '', stage: error.stage, policy }).add();
  }

  retry(step: string): void {
    this.registry.counter('retries_total', { step }).add();
  }

  punctuated(step: string, type: PunctuationType): void {
    this.registry.counter('punctuations_total', { step, type }).add();
  }

  rebalanced(event: 'assigned' | 'revoked' | 'lost'): void {
    this.registry.counter('rebalances_total', { event }).add();
  }

  rewound(reason: string): void {
    this.registry.counter('rewinds_total', { reason }).add();
  }

  committed(result: 'ok' | 'failed'): void {
    this.registry.counter('commits_total', { result }).add();
  }

  /** A transaction that began at `since`, by `performance.now()`, has ended. */
  transaction(result: 'committed' | 'aborted', since: number): void {
    this.registry.counter('transactions_total', { result }).add();
    this.registry.histogram('transaction_duration_seconds', { result }).observe((performance.now() - since) / 1000);
  }

  /** What a store did since the last call for it. */
  store(store: string, did: StoreCounters): void {
    const all = { ...did, misses: did.reads - did.hits };
    for (const [kind, counter] of Object.entries(this.storeCounters(store))) counter.add(all[kind as keyof typeof all]);
  }

  emptyStart(store: string): void {
    this.registry.counter('store_empty_starts_total', { store }).add();
  }

  lag({ topic, partition }: TopicPartition, records: number): void {
    this.registry.gauge('lag_records', { topic, partition: String(partition) }).set(records);
  }

  /** The partition is somebody else's now. */
  forgetLag({ topic, partition }: TopicPartition): void {
    this.registry.remove('lag_records', { topic, partition: String(partition) });
  }

  restored(store: string, records: number): void {
    this.registry.counter('restore_records_total', { store }).add(records);
  }

  restoreSkipped(store: string, records: number): void {
    this.registry.counter('restore_skipped_records_total', { store }).add(records);
  }

  rebuilt(store: string, reason: string): void {
    this.registry.counter('restore_rebuilds_total', { store, reason }).add();
  }

  /** Undefined when nothing is being restored any more. */
  restoreRemaining(store: string, partition: number, offsets: number | undefined): void {
    this.setOrForget('restore_remaining_records', { store, partition: String(partition) }, offsets);
  }

  followed(store: string, records: number): void {
    this.registry.counter('standby_records_total', { store }).add(records);
  }

  /** Undefined when the copy is no standby any more. */
  standbyLag(store: string, partition: number, offsets: number | undefined): void {
    this.setOrForget('standby_lag_records', { store, partition: String(partition) }, offsets);
  }

  tableFollowed(store: string, records: number): void {
    this.registry.counter('global_table_records_total', { store }).add(records);
  }

  /** Undefined when the table is not followed any more. */
  tableLag(store: string, partition: number, offsets: number | undefined): void {
    this.setOrForget('global_table_lag_records', { store, partition: String(partition) }, offsets);
  }

  private setOrForget(name: string, labels: Labels, value: number | undefined): void {
    if (value === undefined) this.registry.remove(name, labels);
    else this.registry.gauge(name, labels).set(value);
  }

  private storeCounters(store: string): Record<keyof StoreCounters | 'misses', Counter> {
    let counters = this.stores.get(store);
    if (!counters) {
      counters = {
        reads: this.registry.counter('store_reads_total', { store }),
        hits: this.registry.counter('store_cache_hits_total', { store }),
        misses: this.registry.counter('store_cache_misses_total', { store }),
        writes: this.registry.counter('store_writes_total', { store }),
        readBytes: this.registry.counter('store_read_bytes_total', { store }),
        writtenBytes: this.registry.counter('store_written_bytes_total', { store }),
        dropped: this.registry.counter('store_dropped_writes_total', { store }),
      };
      this.stores.set(store, counters);
    }
    return counters;
  }

  private input(topic: string): InputMetrics {
    let input = this.inputs.get(topic);
    if (!input) {
      input = {
        records: this.registry.counter('records_in_total', { topic }),
        bytes: this.registry.counter('bytes_in_total', { topic }),
        batches: this.registry.counter('batches_in_total', { topic }),
        size: this.registry.histogram('batch_size_records', { topic }),
        duration: this.registry.histogram('process_duration_seconds', { topic }),
      };
      this.inputs.set(topic, input);
    }
    return input;
  }
}
