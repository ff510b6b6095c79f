import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RetriableError, TaskMigratedError } from '../../../src/core/errors.js';
import { CHANGELOG, commits, counted, fold, Machine, type Process } from './changelog-bench.js';
import { WorkerBench } from './worker-bench.js';

const PARTITIONS = 2;

type Step =
  /** Records for the partitions' keys. */
  | { readonly kind: 'append'; readonly keys: readonly number[] }
  /** The process dies at its so-many-th call from here, before or after the broker has seen it. */
  | { readonly kind: 'kill'; readonly who: number; readonly calls: number; readonly when: 'before' | 'after' }
  | { readonly kind: 'stop' | 'start'; readonly who: number }
  | { readonly kind: 'wipe'; readonly who: number }
  /** The next commit fails, with or without having come through. */
  | { readonly kind: 'fault'; readonly through: boolean }
  /** The group throws a member out that knows nothing of it yet. */
  | { readonly kind: 'lose'; readonly who: number }
  | { readonly kind: 'expire'; readonly who: number }
  | { readonly kind: 'wait'; readonly ms: number };

const who = fc.integer({ min: 0, max: 1 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('append' as const), keys: fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 40 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('kill' as const),
      who,
      calls: fc.integer({ min: 1, max: 25 }),
      when: fc.constantFrom('before' as const, 'after' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('stop' as const), who }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('start' as const), who }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('wipe' as const), who }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('expire' as const), who }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('fault' as const), through: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('lose' as const), who }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 30 }) }) },
);

const setting = fc.record({
  maxRecords: fc.constantFrom(1, 7, 60),
  intervalMs: fc.constantFrom(0, 50, 200),
  flushMs: fc.constantFrom(0, 300, 3_600_000),
  maxBufferedBytes: fc.constantFrom(300, 64e6),
});

/** Reads, looks and what is only made once do not count: they would use up the calls before the work begins. */
const COUNTED = /^(send|flush|commit|transaction|logEnds|committed|seek)/;

class Run {
  readonly bench = WorkerBench.withTopics('out');
  readonly machines = [new Machine(this.bench), new Machine(this.bench)];
  readonly processes: (Process | undefined)[] = [undefined, undefined];
  readonly expected = new Map<string, number>();

  constructor(
    private readonly exactlyOnce: boolean,
    private readonly options: { maxRecords: number; intervalMs: number; flushMs: number; maxBufferedBytes: number },
  ) {
    this.bench.broker.createTopic('in', PARTITIONS);
  }

  async take(step: Step): Promise<void> {
    if (step.kind === 'append') this.append(step.keys);
    else if (step.kind === 'wait') await this.wait(step.ms);
    else if (step.kind === 'start') this.start(step.who);
    else if (step.kind === 'stop') await this.stop(step.who);
    else if (step.kind === 'kill') await this.kill(step.who, step.calls, step.when);
    else if (step.kind === 'expire') this.bench.broker.transactions.expire(`app-${step.who}-0`);
    else if (step.kind === 'fault') this.fault(step.through);
    else if (step.kind === 'lose') this.lose(step.who);
    else if (this.processes[step.who] === undefined) this.machines[step.who]?.wipe();
  }

  start(who: number): void {
    const { maxRecords, intervalMs, flushMs, maxBufferedBytes } = this.options;
    this.processes[who] ??= this.machines[who]?.start(counted(), {
      ...commits(intervalMs, flushMs, maxBufferedBytes),
      batch: { maxRecords, maxWaitMs: 5, maxBytes: 1e6 },
      ...(this.exactlyOnce && { transactions: { id: `app-${who}-0`, timeoutMs: 60_000 } }),
    });
  }

  async stop(who: number): Promise<void> {
    const process = this.processes[who];
    this.processes[who] = undefined;
    if (process === undefined) return;
    const stopping = process.stop();
    await this.until(() => stopping.then(() => true));
  }

  async finish(): Promise<void> {
    this.start(0);
    const total = [...this.expected.values()].reduce((sum, n) => sum + n, 0);
    const done = (): boolean =>
      Array.from({ length: PARTITIONS }, (_, partition) => this.bench.committed('in', partition) ?? 0).reduce((sum, n) => sum + n, 0) >= total;
    await this.until(async () => done());
    await this.stop(0);
    await this.stop(1);
    // Whatever the last one missed, the next start finds in the changelogs.
    this.start(0);
    await this.until(async () => this.processes[0]?.worker.unready.length === 0);
    await this.stop(0);
  }

  private append(keys: readonly number[]): void {
    for (const key of keys) {
      const name = `k${key}`;
      this.expected.set(name, (this.expected.get(name) ?? 0) + 1);
      this.bench.append('in', [0], key % PARTITIONS, name);
    }
  }

  private fault(through: boolean): void {
    const { broker } = this.bench;
    const passing = new RetriableError('broker/unavailable', 'the broker is in the way');
    if (!this.exactlyOnce) broker.failNextFlush(passing, { written: through });
    else if (through) broker.transactions.failNextCommit(new TaskMigratedError('broker/transaction-unresolved', 'no answer came'), { committed: true });
    else broker.transactions.failNextCommit(passing);
  }

  private lose(who: number): void {
    const group = this.bench.broker.group('app');
    if (who < group.size) group.expire(who);
  }

  private async kill(who: number, calls: number, at: 'before' | 'after'): Promise<void> {
    const process = this.processes[who];
    if (process === undefined) return;
    const { onCall } = process.mortal;
    let left = calls;
    process.mortal.onCall = (call, when) => {
      if (when === at && COUNTED.test(call) && --left === 0) process.kill();
      else onCall(call, when);
    };
    for (let i = 0; i < 10 && !process.mortal.dead; i++) await this.wait(3);
    if (!process.mortal.dead) process.kill();
    this.processes[who] = undefined;
    // What it left open ends when its next start fences it, or by its timeout.
    if (this.exactlyOnce) this.bench.broker.transactions.expire(`app-${who}-0`);
  }

  private async wait(ms: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, ms));
    this.bench.clock.advance(ms * 10);
    for (const { ended } of this.processes.filter((one) => one !== undefined)) {
      const error = await Promise.race([ended, undefined]);
      if (error !== undefined) throw error;
    }
  }

  private async until(condition: () => Promise<boolean>): Promise<void> {
    let met = false;
    for (let i = 0; !met; i++) {
      void condition().then((now) => {
        met ||= now;
      });
      await this.wait(3);
      if (i > 3000) throw new Error(`never done: ${JSON.stringify(this.bench.warnings.slice(-5))}`);
    }
  }
}

function outputs(bench: WorkerBench): Map<string, number[]> {
  const byKey = new Map<string, number[]>();
  for (const { key, value } of bench.broker.records('out', 'read_committed'))
    byKey.set(String(key), [...(byKey.get(String(key)) ?? []), Number(String(value))]);
  return byKey;
}

function stored(machine: Machine): Record<string, unknown> {
  return Object.assign({}, ...machine.directories().map((directory) => machine.contents('counts', directory)));
}

test.each([
  ['exactly-once', true],
  ['at-least-once', false],
])(
  'whatever dies, stops or is lost on the way, %s holds',
  async (_, exactlyOnce) => {
    await fc.assert(
      fc.asyncProperty(setting, fc.array(step, { minLength: 3, maxLength: 14 }), async (options, steps) => {
        const run = new Run(exactlyOnce, options);
        try {
          run.start(0);
          for (const one of steps) await run.take(one);
          await run.finish();
          const counts = Object.fromEntries([...run.expected].sort());
          const changelog = fold(run.bench.broker.records(CHANGELOG, 'read_committed'));
          const seen = outputs(run.bench);
          if (exactlyOnce) {
            for (const [key, n] of run.expected) expect(seen.get(key)).toEqual(Array.from({ length: n }, (_, i) => i + 1));
            expect(changelog).toEqual(counts);
          } else {
            for (const [key, n] of run.expected) {
              expect(changelog[key]).toBeGreaterThanOrEqual(n);
              expect(Math.max(...(seen.get(key) ?? []))).toBeGreaterThanOrEqual(n);
            }
          }
          expect(stored(run.machines[0] as Machine)).toEqual(changelog);
        } finally {
          await run.bench.close();
        }
      }),
      { numRuns: Number(process.env.RUNS ?? 25), endOnFailure: false, interruptAfterTimeLimit: 60_000 },
    );
  },
  120_000,
);
