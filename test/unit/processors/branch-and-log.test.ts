import { describe, expect, test } from 'vitest';
import branch from '../../../src/processors/branch.js';
import log from '../../../src/processors/log.js';
import { Bench, expr, fields, record, values } from './harness.js';

describe('branch', () => {
  const arms = [{ if: expr('value > 10') }, { if: expr('value > 5') }];
  const children = { arms: ['high', 'middle'] };
  const taken = (bench: Bench): unknown[] => bench.outputs.map((output) => [output.child, output.record.value]);

  test('sends each record down the first arm that holds and counts those that no arm takes', async () => {
    const bench = await Bench.of(branch, arms, children).batch(values(1, 20, 6, 30));
    expect(taken(bench)).toEqual([
      ['high', 20],
      ['high', 30],
      ['middle', 6],
    ]);
    expect(bench.batches).toEqual([2, 1]);
    expect(bench.dropped).toEqual({ 'no-arm': 1 });
  });

  test('gives each arm the same records one by one (B3)', async () => {
    const bench = await Bench.of(branch, arms, children).single(values(1, 20, 6, 30));
    expect(taken(bench)).toEqual([
      ['high', 20],
      ['middle', 6],
      ['high', 30],
    ]);
    expect(bench.dropped).toEqual({ 'no-arm': 1 });
  });

  test('an arm without a condition takes all that reach it', async () => {
    const bench = await Bench.of(branch, [...arms, {}], { arms: ['high', 'middle', 'rest'] }).batch(values(1));
    expect(taken(bench)).toEqual([['rest', 1]]);
    expect(bench.dropped).toEqual({});
  });
});

describe('log', () => {
  test('writes a text as the message and passes the records on whole', async () => {
    const bench = await Bench.of(log, expr('`saw ${value}`')).batch(values(1, 2));
    expect(bench.lines.map(({ message }) => message)).toEqual(['saw 1', 'saw 2']);
    expect(bench.batches).toEqual([2]);
  });

  test('writes anything else as fields', async () => {
    const bench = await Bench.of(log, fields({ n: 'value' })).single(values(1));
    expect(bench.lines).toEqual([{ fields: { record: { n: 1 } }, message: 'record' }]);
  });

  test('alone writes key and value', async () => {
    const bench = await Bench.of(log, fields({})).batch([record({ key: 'k', value: 'v' })]);
    expect(bench.lines).toEqual([{ fields: { record: { key: 'k', value: 'v' } }, message: 'record' }]);
    expect(bench.values).toEqual(['v']);
  });
});
