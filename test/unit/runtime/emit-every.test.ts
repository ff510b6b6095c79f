import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { compile } from '../../../src/pipeline/compile.js';
import { loadPipeline } from '../../../src/pipeline/load.js';
import { builtinProcessors } from '../../../src/processors/registry.js';
import { formatNames } from '../../../src/serdes/formats.js';
import type { Topology } from '../../../src/topology/topology.js';
import { commits, EXACTLY_ONCE, HOUR, Machine, type Process, written } from './changelog-bench.js';
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
const keysOf = (topic: string): string[] => bench.broker.records(topic, 'read_committed').map(({ key }) => String(key?.[0] && String.fromCharCode(key[0])));

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
    // Where each key waits, its place in the queue, and the sums; those that have come and gone within the commit leave tombstones.
    const waiting = bench.broker.records(WAITING, 'read_committed').filter(({ value }) => value !== null);
    expect(waiting.map(({ key }) => String.fromCharCode(key?.[0] ?? 0)).sort()).toEqual(['k', 'k', 'q', 'q', 's']);
    expect(keysOf(WAITING).filter((kind) => kind === 'k')).toHaveLength(2);
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
