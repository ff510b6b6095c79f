import type { Logger } from '../core/logger.js';
import type { CommittedOffset } from '../core/transport.js';
import type { OwnedTask } from './commit.js';
import type { RestoreProgress } from './restore/progress.js';
import { Restoration } from './restore/restoration.js';
import type { RestoreSurroundings } from './restore/restore-surroundings.js';
import type { RestoredStorage } from './restore/task-stores.js';
import type { SnapshotRestore } from './snapshots/snapshot-restore.js';

/** A task on its way: its state is open, and filled from its changelogs before anything is processed (S4). */
export class OpeningTask {
  private readonly restoration: Restoration | undefined;
  private abandoned = false;

  constructor(
    readonly owned: OwnedTask,
    storages: readonly RestoredStorage[],
    private readonly committed: readonly CommittedOffset[],
    surroundings: RestoreSurroundings & { readonly logger: Logger },
    /** What may give it a good part of its state before its changelogs are read (S13). */
    private readonly snapshot?: Pick<SnapshotRestore, 'run' | 'stop'> | undefined,
  ) {
    this.restoration = storages.length === 0 ? undefined : new Restoration({ ...surroundings, storages });
  }

  /** Resolves when the stores are at the ends of their changelogs, or when `abandon` was called. */
  async restore(): Promise<'restored' | 'suspended'> {
    await this.snapshot?.run();
    if (this.abandoned) return 'suspended';
    return this.restoration?.restore(this.committed) ?? 'restored';
  }

  /** One entry a store. */
  get progress(): readonly RestoreProgress[] {
    return this.restoration?.status() ?? [];
  }

  /** Starts the task's processors (R1). */
  async start(): Promise<OwnedTask> {
    await this.owned.task.init();
    return this.owned;
  }

  /** The task goes elsewhere: what was restored stays on disk, and the next restore goes on from there. */
  async abandon(): Promise<void> {
    this.abandoned = true;
    await this.snapshot?.stop();
    await this.restoration?.suspend();
    await this.owned.task.close();
  }
}
