import { describe, expect, test } from 'vitest';
import { inSequence } from '../../../src/core/maybe.js';
import type { Processor, ProcessorContext } from '../../../src/core/processor.js';
import { conditional } from '../../../src/pipeline/conditional.js';
import map from '../../../src/processors/map.js';
import { Bench, expr, values } from '../processors/harness.js';

const odd = expr('value % 2 === 1');

describe('a step with "if"', () => {
  test('passes records for which it is false unchanged and in their place', async () => {
    const make = (): Bench => new Bench((settings) => conditional(map.create(expr('value * 10'), settings), odd));
    const expected = [10, 2, 30, 50, 4, 6];
    expect((await make().batch(values(1, 2, 3, 5, 4, 6))).values).toEqual(expected);
    expect((await make().single(values(1, 2, 3, 5, 4, 6))).values).toEqual(expected);
  });

  test('gives the step its records in runs, and keeps order when the step is asynchronous', async () => {
    const sizes: number[] = [];
    let context: ProcessorContext;
    const slow: Processor = {
      init: (given) => {
        context = given;
      },
      async processBatch({ records }) {
        sizes.push(records.length);
        await inSequence(1, () => Promise.resolve());
        context.forwardBatch(records);
      },
    };
    const bench = await new Bench(() => conditional(slow, odd)).batch(values(1, 3, 2, 5));
    expect(bench.values).toEqual([1, 3, 2, 5]);
    expect(sizes).toEqual([2, 1]);
  });

  test('takes batches only when the step does (B2), and any number of runs', async () => {
    const plain: Processor = { process: () => {} };
    expect(conditional(plain, odd).processBatch).toBeUndefined();
    const many = Array.from({ length: 20_000 }, (_, i) => i);
    const bench = await new Bench((settings) => conditional(map.create(expr('-value'), settings), odd)).batch(values(...many));
    expect(bench.values).toEqual(many.map((n) => (n % 2 ? -n : n)));
  });
});
