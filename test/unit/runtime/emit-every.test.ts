import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { compile } from '../../../src/pipeline/compile.js';
import { loadPipeline } from '../../../src/pipeline/load.js';
import { builtinProcessors } from '../../../src/processors/registry.js';
import { formatNames } from '../../../src/serdes/formats.js';
import type { Topology } from '../../../src/topology/topology.js';
import { commits, EXACTLY_ONCE, fold, HOUR, Machine, type Process, written } from './changelog-bench.js';
import type { Flow } from './harness.js';
import { WorkerBench } from './worker-bench.js';

const COUNTS = 'app-main-count-changelog';
const WAITING = 'app-main-count-emit-changelog';

let bench: WorkerBench;
let machine: Machine;

beforeEach(() => {
  bench = WorkerBench.withTopics('in', 'out');
  machine = new Machine(bench);
});

afterEach(() => bench.close());

async function flowOf(emit: string): Promise<Flow> {
  const { pipeline } = await loadPipeline(['p.yaml'], {
    env: {},
    processors: builtinProcessors,
    formats: formatNames,
    resolvePlugin: () => Promise.reject(new Error('no plugin')),
    readFile: async () => `name: app\nkafka: h:9092\nfrom: in\nsteps:\n  - count:\n    emit: ${emit}\n    store: { engine: memory, value: json }\nto: out\n`,
  });
  if (!pipeline) throw new Error('no pipeline');
  const topology: Topology = compile(pipeline);
  return { build: () => topology } as unknown as Flow;
}

/** One record a second of each of `keys`, from second `from` up to `to`. */
function append(keys: readonly string[], from: number, to: number): void {
  for (let second = from; second < to; second++) {
    for (const key of keys) bench.broker.append('in', { key: Buffer.from(key), value: Buffer.from('1'), timestamp: second * 1000 });
  }
}

/** What one undisturbed run gives for a record a second of a and b: a's record moves stream time, so b leaves before its own. */
const undisturbed = ['a=11', 'b=10', 'b=20', 'a=22', 'b=30', 'a=33', 'b=40', 'a=44', 'b=50', 'a=55'];

const countsOf = (topic: string): string[] => written(bench, topic);
/** Of the records of what waits, all of which are of a key. */
const keysIn = (topic: string): string[] =>
  bench.broker.records(topic, 'read_committed').map(({ key }) => {
    expect(key?.[0]).toBe('k'.charCodeAt(0));
    return String(key?.subarray(1));
  });

/** Runs until everything sent is committed, with one commit at the end. */
async function oneCommit(emit: string, options: object = {}): Promise<void> {
  const process = machine.start(await flowOf(emit), { ...commits(HOUR), ...options });
  const sent = bench.broker.records('in', 'read_uncommitted').length;
  await bench.until(() => process.worker.unready.length === 0);
  await bench.until(() => process.diary.includes('send out'));
  await process.stop();
  expect(bench.committed()).toBe(sent);
}

describe.each([
  ['at-least-once', {}],
  ['exactly-once', EXACTLY_ONCE],
])('several updates of a key become one output and one changelog record, %s', (_guarantee, options) => {
  test('emit: batch', async () => {
    append(['a', 'b'], 0, 40);
    await oneCommit('batch', options);
    expect(countsOf(COUNTS).sort()).toEqual(['a=40', 'b=40']);
    expect(countsOf('out')).toHaveLength(2);
  });

  test('emit: 10s', async () => {
    append(['a', 'b'], 0, 41);
    await oneCommit('10s', options);
    expect(countsOf('out')).toEqual(undisturbed.slice(0, 7));
    expect(countsOf(COUNTS).sort()).toEqual(['a=41', 'b=41']);
    // One record a key; the queue is not in the changelog.
    expect(keysIn(WAITING).sort()).toEqual(['a', 'b']);
  });

  /** Commits behind each part of the input. */
  async function committedParts(emit: string, parts: readonly (() => void)[]): Promise<void> {
    const process = machine.start(await flowOf(emit), { ...commits(0), ...options });
    for (const part of parts) {
      part();
      await bench.until(() => bench.committed() === bench.broker.records('in', 'read_uncommitted').length);
    }
    await process.stop();
  }

  test('emit: 10s, one update of a key in that time, and each commit lets one go: two records an output', async () => {
    const parts = Array.from({ length: 12 }, (_, i) => () => append([i % 2 === 0 ? 'a' : 'b'], i * 10, i * 10 + 1));
    await committedParts('10s', parts);
    const outputs = countsOf('out').length;
    expect(outputs).toBe(11);
    // The twelfth still waits.
    expect(keysIn(WAITING)).toHaveLength(2 * outputs + 1);
  });

  test('emit: 10s, a hundred updates of a key in that time over five commits: one record a commit, and the last that takes it away', async () => {
    const updates = (from: number) => () => {
      for (let i = 0; i < 20; i++) append(['a'], from, from + 1);
    };
    await committedParts('10s', [...[0, 2, 4, 6, 8].map(updates), () => append(['b'], 10, 11)]);
    expect(countsOf('out')).toEqual(['a=100']);
    expect(keysIn(WAITING)).toEqual(['a', 'a', 'a', 'a', 'a', 'a', 'b']);
    expect(bench.broker.records(WAITING, 'read_committed').map(({ value }) => value === null)).toEqual([false, false, false, false, false, true, false]);
  });

  test('emit: 10s, begun and over within a commit: no record where a failed commit leaves none', async () => {
    append(['a'], 0, 1);
    append(['b'], 10, 11);
    await oneCommit('10s', options);
    expect(countsOf('out')).toEqual(['a=1']);
    const records = bench.broker.records(WAITING, 'read_committed').map(({ key, value }) => `${key?.subarray(1)}${value === null ? ' gone' : ''}`);
    expect(records).toEqual(options === EXACTLY_ONCE ? ['b'] : ['a gone', 'b']);
  });
});

describe('what waits outlives its process', () => {
  /** Kills the process at its nth call that is not a look, and starts another. */
  async function killing(at: number, options: object): Promise<void> {
    const flow = await flowOf('10s');
    append(['a', 'b'], 0, 30);
    const first: Process = machine.start(flow, { ...commits(0, 0), batch: { maxRecords: 7, maxWaitMs: 1, maxBytes: 1e6 }, ...options });
    let calls = 0;
    first.mortal.alsoOnCall((call, when) => {
      if (when === 'after' && /^(send|flush|commit|transaction|logEnds)/.test(call) && ++calls === at) first.kill();
    });
    await bench.until(() => first.mortal.dead || bench.committed() === 60, 10);
    expect(first.mortal.dead).toBe(true);
    append(['a', 'b'], 30, 58);
    const second = machine.start(flow, { ...commits(0, 0), ...options });
    await bench.until(() => bench.committed() === 116, 10);
    await second.stop();
  }

  test.each([3, 8, 14, 21, 27])('exactly-once, killed at call %i: each result comes once', async (at) => {
    await killing(at, { ...EXACTLY_ONCE, ...commits(1, 0) });
    expect(written(bench, 'out')).toEqual(undisturbed);
  });

  test.each([2, 4, 6, 9, 12, 15])('at-least-once, killed at call %i: the last result of each key comes, whatever came before', async (at) => {
    const flow = await flowOf('10s');
    append(['a', 'b', 'c'], 0, 30);
    const first: Process = machine.start(flow, { ...commits(0, 0), batch: { maxRecords: 7, maxWaitMs: 1, maxBytes: 1e6 } });
    let calls = 0;
    first.mortal.alsoOnCall((call, when) => {
      if (when === 'after' && /^(send|flush|commit|logEnds)/.test(call) && ++calls === at) first.kill();
    });
    await bench.until(() => first.mortal.dead || bench.committed() === 90, 10);
    expect(first.mortal.dead).toBe(true);
    // Moves stream time until all that waits has left, but for itself.
    append(['z'], 60, 61);
    const second = machine.start(flow, commits(0, 0));
    await bench.until(() => bench.committed() === 91, 10);
    await second.stop();
    const counts = fold(bench.broker.records(COUNTS, 'read_committed'));
    for (const key of ['a', 'b', 'c'])
      expect(
        countsOf('out')
          .filter((out) => out.startsWith(key))
          .at(-1),
      ).toBe(`${key}=${counts[key]}`);
  });

  test('on another machine it is restored from its changelog', async () => {
    const flow = await flowOf('10s');
    append(['a', 'b'], 0, 30);
    const first = machine.start(flow, commits(0));
    await bench.until(() => bench.committed() === 60);
    await first.stop();
    append(['a', 'b'], 30, 58);
    const second = new Machine(bench).start(flow, commits(0));
    await bench.until(() => bench.committed() === 116);
    await second.stop();
    expect(written(bench, 'out')).toEqual(undisturbed);
  });
});
