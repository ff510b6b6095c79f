import { expect, test } from 'vitest';
import { compile } from '../../../src/pipeline/compile.js';
import { batchDependent } from '../../../src/testing/batch-dependent.js';
import { pipelineOf } from './written-pipeline.js';

async function dependentOf(text: string) {
  const pipeline = await pipelineOf(text);
  const { topics, stores } = batchDependent(pipeline, compile(pipeline));
  return { topics: [...topics].sort(), stores: [...stores].sort() };
}

test('outputs of a step with emit: batch depend on batches, its own store does not', async () => {
  expect(await dependentOf('from: a\nsteps: [ count ]\nto: { topic: b, value: int64 }\n')).toEqual({ topics: ['b'], stores: [] });
  expect(await dependentOf('from: a\nsteps: [ { count: , emit: update } ]\nto: { topic: b, value: int64 }\n')).toEqual({ topics: [], stores: [] });
  expect(await dependentOf('from: a\nsteps: [ { count: , emit: 10s } ]\nto: { topic: b, value: int64 }\n')).toEqual({ topics: [], stores: [] });
});

test('so does all that comes after it, through topics, tables, global tables and stores; nothing beside it does', async () => {
  const found = await dependentOf(`tables: { counts: { topic: counted, value: int64 }, all: { topic: counted-again, value: int64, global: true }, plain: clean }
flows:
  counting: { from: a, steps: [ count ], to: [ { topic: counted, value: int64 }, { topic: counted-again, value: int64 } ] }
  again: { from: flow:counting, steps: [ { keyBy: value }, { count: , name: second, emit: update } ], to: { topic: twice, value: int64 } }
  joined: { from: b, steps: [ { join: counts, as: n } ], to: with-counts }
  looked: { from: c, steps: [ { join: all, by: key, as: n } ], to: with-all }
  beside: { from: d, steps: [ { join: plain, as: n } ], to: untouched }
`);
  expect(found).toEqual({
    topics: ['app-again-keyBy-repartition', 'counted', 'counted-again', 'twice', 'with-all', 'with-counts'],
    stores: ['again-second', 'all', 'counts'],
  });
});
