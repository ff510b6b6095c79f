import { rm } from 'node:fs/promises';
import { Snapshots, type SnapshotsOptions } from '../runtime/snapshots/snapshots.js';
import { S3Snapshots } from '../snapshots/s3-snapshots.js';
import type { StateDirectory } from '../stores/state-directory.js';
import type { DaemonOptions } from './options.js';

/** An application's snapshots; undefined where none are asked for (S13). */
export async function openSnapshots(
  { scratch, instanceId }: Pick<StateDirectory, 'scratch' | 'instanceId'>,
  options: DaemonOptions['snapshots'],
  around: Pick<SnapshotsOptions, 'damaged' | 'clock' | 'logger' | 'metrics'>,
): Promise<Snapshots | undefined> {
  // What an earlier process in this place was about to store or to take.
  await rm(scratch, { recursive: true, force: true });
  if (options === undefined) return undefined;
  const store = new S3Snapshots({ ...options, instance: instanceId });
  await store.warmUp();
  return new Snapshots({ ...around, store, scratch, everyMs: options.everyMs });
}
