import type { Metrics } from '../../core/metrics.js';
import type { SavedSnapshot } from '../../core/snapshots.js';

/** What is counted of snapshots (S13). */
export class SnapshotMetrics {
  constructor(private readonly registry: Metrics) {}

  saved({ uploadedBytes }: SavedSnapshot, seconds: number): void {
    this.registry.counter('snapshots_total', { result: 'ok' }).add();
    this.registry.counter('snapshot_uploaded_bytes_total').add(uploadedBytes);
    this.registry.histogram('snapshot_duration_seconds').observe(seconds);
  }

  failed(): void {
    this.registry.counter('snapshots_total', { result: 'failed' }).add();
  }

  /** Of the task whose last one is the oldest; undefined when no task here has any taken. */
  age(seconds: number | undefined): void {
    if (seconds === undefined) this.registry.remove('snapshot_age_seconds', {});
    else this.registry.gauge('snapshot_age_seconds').set(seconds);
  }

  restored(result: 'ok' | 'failed' | 'refused'): void {
    this.registry.counter('snapshot_restores_total', { result }).add();
  }
}
