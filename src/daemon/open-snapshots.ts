import { rm } from 'node:fs/promises';
import { Snapshots, type SnapshotsOptions } from '../runtime/snapshots/snapshots.js';
import { S3Snapshots } from '../snapshots/s3-snapshots.js';
import type { StateDirectory } from '../stores/state-directory.js';
import type { DaemonOptions } from './options.js';

/** An application's snapshots; undefined where none are asked for (S13). */
export async function openSnapshots(
  { scratch }: Pick<StateDirectory, 'scratch'>,
  options: DaemonOptions['snapshots'],
  around: Pick<SnapshotsOptions, 'damaged' | 'clock' | 'logger' | 'metrics'>,
): Promise<Snapshots | undefined> {
  // What an earlier process in this place was about to store or to take.
  await rm(scratch, { recursive: true, force: true });
  return options && new Snapshots({ ...around, store: new S3Snapshots(options), scratch, everyMs: options.everyMs });
}
