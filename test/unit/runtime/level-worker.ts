import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../src/core/clock.js';
import { silentLogger } from '../../../src/core/logger.js';
import type { StoreDefinition, TaskStorage, TaskStoreEngine } from '../../../src/core/store.js';
import { CacheBudget } from '../../../src/runtime/cache-budget.js';
import { TaskState } from '../../../src/runtime/task-state.js';
import type { WorkerOptions } from '../../../src/runtime/worker-options.js';
import { serdeFor } from '../../../src/serdes/formats.js';
import { levelEngine } from '../../../src/stores/leveldb.js';
import type { LevelOptions } from '../../../src/stores/open-database.js';
import { openVerified } from '../../../src/stores/open-verified.js';
import { stateful } from './changelog-bench.js';
import { type RunningWorker, WorkerBench } from './worker-bench.js';

type Step = Parameters<typeof stateful>[0];

/** Workers with their stores in LevelDB, in one state directory until `loseDisk`. */
export class LevelBench extends WorkerBench {
  directory = mkdtempSync(join(tmpdir(), 'kstreamd-level-'));
  readonly cache = new CacheBudget(1e6);
  /** What the last task was opened with. */
  storage: TaskStorage | undefined;

  constructor(private readonly level: LevelOptions = {}) {
    super();
    this.broker.createTopic('in');
    this.broker.createTopic('out');
  }

  /** A step with these stores from `in` to `out`. */
  run(create: Step, stores: readonly StoreDefinition[], options: Partial<WorkerOptions> = {}): RunningWorker {
    const engines = new Map([['leveldb', this.engine()]]);
    const holding = { logger: silentLogger, onFindings: () => {}, clock: systemClock };
    return this.start(
      stateful(
        create,
        stores.map((store) => ({ ...store, engine: 'leveldb' })),
      ),
      {
        stateDir: this.directory,
        commit: { intervalMs: 0, flushMs: 0, maxBufferedBytes: 64e6 },
        openState: (asked) => TaskState.open({ ...asked, engines, serdeFor, cache: this.cache, holdDirectory: (task) => openVerified(task, holding) }),
        ...options,
      },
    );
  }

  /** Resolves when everything in `in` is committed. */
  async untilCommitted(): Promise<void> {
    await this.until(() => this.committed() === this.broker.records('in').length, 10);
  }

  loseDisk(): void {
    rmSync(this.directory, { recursive: true, force: true });
    this.directory = mkdtempSync(join(tmpdir(), 'kstreamd-level-'));
  }

  override async close(): Promise<void> {
    await super.close();
    rmSync(this.directory, { recursive: true, force: true });
  }

  private engine(): TaskStoreEngine {
    const engine = levelEngine(this.level);
    return {
      ...engine,
      openTask: async (options) => {
        this.storage = await engine.openTask(options);
        return this.storage;
      },
    };
  }
}
