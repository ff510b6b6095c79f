import type { Pipeline, PipelineTest } from '../pipeline/model.js';
import { judge, type Leaving, recordDifference, type TestFailure } from './judge.js';
import { type Observed, observe, type ShownRecord } from './test-run.js';

/** What became of one test of a pipeline file. */
export interface TestOutcome {
  readonly name: string;
  readonly test: PipelineTest;
  /** Empty: it passed. */
  readonly failures: readonly TestFailure[];
  /** It failed only in the run with one record per batch. */
  readonly oneByOne: boolean;
}

const NOTHING: Leaving = { topics: new Set(), stores: new Set() };

/**
 * Runs one test of a pipeline, in whole batches and again with one record per batch: whatever does not come through a step with
 * `emit: batch` must come out the same. Rejects with a ConfigError for what the test cannot send or preload.
 */
export async function runTest(pipeline: Pipeline, test: PipelineTest): Promise<TestOutcome> {
  return (await untilIdle(tryTest(pipeline, test))) ?? { name: test.name, test, failures: [neverEnding(test)], oneByOne: false };
}

/**
 * What the work gives; undefined when Node has nothing left to do while it waits: nothing can end it then, and the process would end
 * with 0, as if all were well.
 */
async function untilIdle<T>(work: Promise<T>): Promise<T | undefined> {
  let end = (): void => {};
  const idle = new Promise<undefined>((resolve) => {
    end = () => resolve(undefined);
  });
  process.once('beforeExit', end);
  try {
    return await Promise.race([work, idle]);
  } finally {
    process.off('beforeExit', end);
  }
}

function neverEnding({ position }: PipelineTest): TestFailure {
  return {
    position,
    message: 'the run does not end: a step waits for a promise that nothing settles any more',
    fix: 'look for the promise that process, processBatch or init of a plugin returns or awaits',
    behind: [],
  };
}

async function tryTest(pipeline: Pipeline, test: PipelineTest): Promise<TestOutcome> {
  const inBatches = await observe(pipeline, test);
  const failures = judge(test, inBatches, NOTHING);
  if (failures.length > 0) return { name: test.name, test, failures, oneByOne: false };
  const single = await observe(pipeline, test, 1);
  const later = judge(test, single, single.dependent);
  if (later.length > 0) return { name: test.name, test, failures: later, oneByOne: true };
  return { name: test.name, test, failures: await unlike(pipeline, test, inBatches, single), oneByOne: true };
}

/** Topics that came out otherwise; of those that differ between two equal runs too, as with random numbers, nothing can be said. */
async function unlike(pipeline: Pipeline, test: PipelineTest, inBatches: Observed, single: Observed): Promise<TestFailure[]> {
  if (inBatches.error !== undefined || single.error !== undefined) return [];
  const failures = firstUnlike(test, inBatches, single);
  if (failures.size === 0) return [];
  const again = firstUnlike(test, inBatches, await observe(pipeline, test));
  return [...failures].filter(([topic]) => !again.has(topic)).map(([, failure]) => failure);
}

function firstUnlike(test: PipelineTest, one: Observed, other: Observed): Map<string, TestFailure> {
  const failures = new Map<string, TestFailure>();
  for (const topic of new Set([...one.outputs.keys(), ...other.outputs.keys()])) {
    if (other.dependent.topics.has(topic)) continue;
    const failure = topicUnlike(topic, test, one.outputs.get(topic) ?? [], other.outputs.get(topic) ?? []);
    if (failure) failures.set(topic, failure);
  }
  return failures;
}

function topicUnlike(topic: string, test: PipelineTest, one: readonly ShownRecord[], other: readonly ShownRecord[]): TestFailure | undefined {
  const position = test.expect[topic]?.position ?? test.position;
  if (one.length !== other.length)
    return { position, message: `${topic} has ${other.length} records with one record per batch, and ${one.length} with all in one`, behind: [] };
  for (const [i, record] of one.entries()) {
    const found = other[i] as ShownRecord;
    const { key, value, timestamp: at, partition } = record;
    const difference = recordDifference({ key, value, at, partition }, found, false);
    if (difference === undefined) continue;
    const message = `${topic}, record ${i + 1}: ${difference.path} depends on how many records are in a batch`;
    return { position, message, expected: JSON.stringify(difference.expected), got: JSON.stringify(difference.got), behind: found.behind() };
  }
  return undefined;
}
