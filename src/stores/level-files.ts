import { dirname } from 'node:path';
import type { CheckpointFile, StorageFiles, StoredPosition } from '../core/store.js';
import { problemOf, replaceDatabase } from './adopt.js';
import { Checkpoints } from './checkpoint.js';
import type { Database, LevelOptions } from './open-database.js';

/** The files of a database that is open here (S13). */
export class LevelFiles implements StorageFiles {
  private checkpoints: Checkpoints;

  constructor(
    private readonly database: Database,
    private readonly options: LevelOptions,
  ) {
    this.checkpoints = this.newCheckpoints();
  }

  checkpoint(directory: string): Promise<CheckpointFile[]> {
    return this.checkpoints.make(directory);
  }

  async adopt(directory: string, refusal: (positions: readonly StoredPosition[]) => string | undefined): Promise<string | undefined> {
    const problem = await problemOf(directory, this.options, refusal);
    if (problem !== undefined) return problem;
    await this.checkpoints.close();
    // Numbers of tables begin anew.
    this.checkpoints = this.newCheckpoints();
    await replaceDatabase(this.database, directory);
    return undefined;
  }

  /** To be called before the database is closed: its files stay as they are from then on. */
  close(): Promise<void> {
    return this.checkpoints.close();
  }

  private newCheckpoints(): Checkpoints {
    return new Checkpoints(this.database.location, dirname(this.database.location));
  }
}
