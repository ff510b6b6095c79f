import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DriverRecord } from '../../../src/testing/topology-driver.js';
import { entriesOf, pairs } from './harness.js';
import { type FlowSpec, flowOf, flowSpec, input } from './random-flows.js';

/** What a run leaves behind: outputs in order, and the stores. */
async function run(spec: FlowSpec, records: readonly DriverRecord[], batchSize: number, cuts: readonly number[]): Promise<Record<string, unknown>> {
  const flow = flowOf(spec);
  const { stores } = flow.build();
  const driver = await flow.open({ batchSize });
  let from = 0;
  for (const cut of [...cuts, records.length]) {
    driver.send('in', records.slice(from, Math.max(from, cut)));
    from = Math.max(from, cut);
    await driver.settle();
  }
  const left: Record<string, unknown> = {};
  for (const topic of ['out0', 'out1']) left[topic] = pairs(driver.output(topic)).map((pair, i) => `${pair}@${driver.output(topic)[i]?.timestamp}`);
  for (const store of stores.keys()) left[store] = await entriesOf(driver.store(store));
  await driver.close();
  return left;
}

describe('B3: the result never depends on the batch size', () => {
  const SEED = Number(process.env.KSTREAMD_SEED ?? 20240101);
  const NUM_RUNS = Number(process.env.KSTREAMD_RUNS ?? 120);

  test('outputs, their order, and stores are as record by record, on random topologies', async () => {
    const cutsOf = (length: number): fc.Arbitrary<number[]> => fc.array(fc.nat(length), { maxLength: 5 }).map((cuts) => cuts.sort((a, b) => a - b));
    const scenario = fc
      .tuple(flowSpec, input)
      .chain(([spec, records]) => fc.tuple(fc.constant(spec), fc.constant(records), cutsOf(records.length), fc.integer({ min: 1, max: 30 })));
    await fc.assert(
      fc.asyncProperty(scenario, async ([spec, records, cuts, size]) => {
        const single = await run(spec, records, 1, []);
        for (const batchSize of [7, 60]) expect(await run(spec, records, batchSize, [])).toEqual(single);
        expect(await run(spec, records, size, cuts)).toEqual(single);
      }),
      { seed: SEED, numRuns: NUM_RUNS },
    );
  }, 30_000);
});
