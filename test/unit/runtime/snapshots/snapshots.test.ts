import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Logger } from '../../../../src/core/logger.js';
import { noMetrics } from '../../../../src/core/metrics.js';
import { type SnapshotContents, SnapshotError, type SnapshotStore, type SnapshotSubject } from '../../../../src/core/snapshots.js';
import type { StoredPosition } from '../../../../src/core/store.js';
import type { OwnedTask } from '../../../../src/runtime/commit.js';
import { Snapshots } from '../../../../src/runtime/snapshots/snapshots.js';
import type { TaskFiles } from '../../../../src/runtime/task-state.js';
import { ManualClock } from '../../../../src/testing/manual-clock.js';

const EVERY = 60_000;
const subject: SnapshotSubject = { application: 'app', folder: 'counts', partition: 0, definition: 'd', stores: ['counts'] };

/** Snapshots of one task, whose position a test moves, into a store that a test lets fail. */
class Bench {
  readonly clock = new ManualClock();
  readonly warnings: any[] = [];
  readonly saved: SnapshotContents[] = [];
  problem: Error | undefined;
  position: StoredPosition | undefined = { topic: 'c', partition: 0, offset: 1, topicId: 'id' };
  readonly scratch = mkdtempSync(join(tmpdir(), 'kstreamd-snapshots-'));
  readonly files: TaskFiles = {
    stores: ['counts'],
    positions: async () => (this.position === undefined ? [] : [this.position]),
    checkpoint: async () => [],
    adopt: async () => undefined,
  };
  readonly owned = {
    task: { state: { files: this.files }, changelogs: [{ topic: 'c', partition: 0, store: 'counts', topicId: 'id' }] },
    snapshots: subject,
  } as unknown as OwnedTask;
  readonly snapshots: Snapshots;

  constructor() {
    const nothing = (): void => {};
    const warn = (fields: object, message: string): void => void this.warnings.push({ ...fields, message });
    const logger: Logger = { debug: nothing, info: nothing, warn, error: warn, child: () => logger };
    const store: SnapshotStore = {
      name: 's3://b',
      check: async () => {},
      save: async (_, contents) => {
        if (this.problem) throw this.problem;
        this.saved.push(contents);
        return { bytes: 2, uploadedBytes: 1 };
      },
      find: async function* () {},
      close: nothing,
    };
    this.snapshots = new Snapshots({
      store,
      scratch: this.scratch,
      everyMs: EVERY,
      lookMs: 2,
      damaged: nothing,
      clock: this.clock,
      logger,
      metrics: noMetrics,
    });
    onTestFinished(async () => {
      await this.snapshots.close(0);
      rmSync(this.scratch, { recursive: true, force: true });
    });
  }

  start(): this {
    this.snapshots.follow(() => [this.owned]);
    return this;
  }

  /** Moves the clock until so many were stored. */
  until(count: number): Promise<void> {
    return this.untilTrue(() => this.saved.length >= count);
  }

  async untilTrue(condition: () => boolean): Promise<void> {
    while (!condition()) {
      this.clock.advance(1_000);
      await delay(4);
    }
  }

  flush(): void {
    this.position = { ...(this.position as StoredPosition), offset: (this.position as StoredPosition).offset + 1 };
  }
}

describe('S13: snapshots of the tasks that run', { timeout: 30_000 }, () => {
  it('are taken every so often of what has changed, and leave nothing on the disk', async () => {
    const bench = new Bench().start();
    await bench.until(1);
    const first = bench.clock.now();
    bench.flush();
    await bench.until(2);
    expect(bench.clock.now() - first).toBeGreaterThanOrEqual(EVERY - 2_000);
    expect(bench.saved.map(({ positions }) => positions[0]?.offset)).toEqual([1, 2]);
    expect(bench.snapshots.statusOf(bench.owned)).toMatchObject({ bytes: 2, uploadedBytes: 1, time: expect.any(String) });
    await bench.untilTrue(() => readdirSync(bench.scratch).length === 0);
    expect(bench.warnings).toEqual([]);
  });

  it('go on after failures, which wait longer each time and are told with code and fix', async () => {
    const bench = new Bench();
    bench.problem = new SnapshotError('snapshot/unreachable', 'away', { fix: 'come back' });
    bench.start();
    await bench.untilTrue(() => bench.warnings.length >= 3);
    expect(bench.warnings.slice(0, 3).map(({ code, fix, retryMs }) => [code, fix, retryMs])).toEqual([
      ['snapshot/unreachable', 'come back', 10_000],
      ['snapshot/unreachable', 'come back', 20_000],
      ['snapshot/unreachable', 'come back', 40_000],
    ]);
    expect(bench.snapshots.statusOf(bench.owned)).toEqual({ error: 'snapshot/unreachable' });
    bench.problem = undefined;
    await bench.until(1);
    expect(bench.snapshots.statusOf(bench.owned)).not.toHaveProperty('error');
  });

  it('are taken once more at a clean stop, when something changed since', async () => {
    const bench = new Bench().start();
    await bench.snapshots.takeLast();
    expect(bench.saved).toEqual([]);
    await bench.snapshots.close(1_000);
    expect(bench.saved).toHaveLength(1);
    const idle = new Bench().start();
    await idle.until(1);
    await idle.snapshots.takeLast();
    await idle.snapshots.close(1_000);
    expect(idle.saved).toHaveLength(1);
  });

  it('are not taken before anything was flushed', async () => {
    const bench = new Bench();
    bench.position = undefined;
    bench.start();
    await bench.snapshots.takeLast();
    await bench.snapshots.close(1_000);
    expect(bench.saved).toEqual([]);
  });

  it('are not kept of tasks with a store that no changelog could bring up to date (C4), with one warning', () => {
    const bench = new Bench();
    const { stores: _, ...task } = subject;
    expect(bench.snapshots.subjectOf(task, bench.files, false)).toEqual(subject);
    expect(bench.snapshots.subjectOf(task, undefined, false)).toBeUndefined();
    for (const partition of [0, 1]) expect(bench.snapshots.subjectOf({ ...task, partition }, bench.files, true)).toBeUndefined();
    expect(bench.warnings).toEqual([expect.objectContaining({ folder: 'counts', message: expect.stringContaining('no changelog') })]);
  });
});
