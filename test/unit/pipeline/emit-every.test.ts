import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compile } from '../../../src/pipeline/compile.js';
import { loadPipeline } from '../../../src/pipeline/load.js';
import { resolvePlugin } from '../../../src/pipeline/plugins.js';
import { builtinProcessors } from '../../../src/processors/registry.js';
import { formatNames } from '../../../src/serdes/formats.js';
import type { DriverOptions, DriverRecord } from '../../../src/testing/topology-driver.js';
import { TopologyDriver } from '../../../src/testing/topology-driver.js';
import type { Topology } from '../../../src/topology/topology.js';
import { pairs, sent } from '../runtime/harness.js';
import { type Counted, expectedResults } from './emit-rule.js';

const SECOND = 1000;

async function topologyOf(text: string): Promise<Topology> {
  const { pipeline, diagnostics } = await loadPipeline(['p.yaml'], {
    env: {},
    processors: builtinProcessors,
    formats: formatNames,
    resolvePlugin,
    readFile: async () => `name: app\nkafka: h:9092\n${text}`,
  });
  if (!pipeline) throw new Error(diagnostics.map(({ line, code, message }) => `${line} ${code}: ${message}`).join('\n'));
  return compile(pipeline);
}

const counting = (emit: string): Promise<Topology> =>
  topologyOf(`from: in\nsteps:\n  - filter: value !== 'unseen'\n  - count:\n    emit: ${emit}\n    store: { value: json }\nto: out\n`);

/** What comes out, as `key=value@timestamp`. */
const shown = (driver: TopologyDriver): string[] => pairs(driver.output('out')).map((pair, i) => `${pair}@${driver.output('out')[i]?.timestamp}`);

async function run(topology: Topology, records: readonly DriverRecord[], cuts: readonly number[], options: DriverOptions): Promise<string[]> {
  const driver = await TopologyDriver.open(topology, options);
  for (const [i, cut] of [...cuts, records.length].entries()) {
    driver.send('in', records.slice(i === 0 ? 0 : cuts[i - 1], cut));
    await driver.settle();
  }
  const out = shown(driver);
  await driver.close();
  return out;
}

const record = (key: string, timestamp: number, value = 'x'): DriverRecord => sent(key, JSON.stringify(value), timestamp);

/** What the rule says of them; a value that is `unseen` does not come to the step. */
function expected(records: readonly DriverRecord[], every: number, most?: number): ReturnType<typeof expectedResults> {
  const counted = records.map(({ key, value, timestamp = 0 }): Counted => ({ key: String(key), timestamp, seen: String(value) !== '"unseen"' }));
  return expectedResults(counted, every, most);
}

const inputs = fc
  .array(fc.tuple(fc.nat(5), fc.constantFrom('x', 'x', 'x', 'unseen'), fc.constantFrom(0, 0, 1, 400, 1000, 2500, -3000, 12_000)), {
    minLength: 1,
    maxLength: 80,
  })
  .map((steps) => {
    let time = 1000;
    return steps.map(([key, value, ahead]) => {
      time = Math.max(0, time + ahead);
      return record(`k${key}`, time, value);
    });
  });
const cutsOf = (length: number): fc.Arbitrary<number[]> => fc.array(fc.nat(length), { maxLength: 5 }).map((cuts) => cuts.sort((a, b) => a - b));
const scenario = inputs.chain((records) => fc.tuple(fc.constant(records), cutsOf(records.length), fc.integer({ min: 1, max: 30 })));
const SEED = Number(process.env.KSTREAMD_SEED ?? 20240101);
const numRuns = Number(process.env.KSTREAMD_RUNS ?? 60);

describe('emit: 10s', () => {
  test('gives the latest result of a key when 10 s of stream time have passed since the first', async () => {
    const out = await run(await counting('10s'), [record('a', 0), record('b', 4000), record('a', 5000), record('a', 10_000), record('c', 14_000)], [], {});
    expect(out).toEqual(['a=3@10000', 'b=1@4000']);
  });

  test('begins a new time with the first result that comes after', async () => {
    const topology = await counting('10s');
    const out = await run(
      topology,
      Array.from({ length: 13 }, (_, i) => record('a', i * 5 * SECOND)),
      [],
      {},
    );
    // Begun at 0, 15, 30 and 45 s.
    expect(out).toEqual(['a=3@10000', 'a=6@25000', 'a=9@40000', 'a=12@55000']);
  });

  test('leaves the last results waiting while stream time stands still', async () => {
    expect(await run(await counting('10s'), [record('a', 0), record('a', 9999)], [], {})).toEqual([]);
  });

  test('goes on with stream time that only records before the step move', async () => {
    expect(await run(await counting('10s'), [record('a', 3000), record('z', 14_000, 'unseen'), record('z', 20_000, 'unseen')], [], {})).toEqual(['a=1@3000']);
  });

  test('never depends on the batch size (B3), and is the rule said record by record', async () => {
    const topology = await counting('10s');
    await fc.assert(
      fc.asyncProperty(scenario, async ([records, cuts, batchSize]) => {
        const rule = expected(records, 10 * SECOND);
        for (const options of [{ batchSize: 1 }, { batchSize: 7 }, { batchSize: 60 }, {}]) {
          expect(await run(topology, records, [], options)).toEqual(rule.map(({ out }) => out));
        }
        expect(await run(topology, records, cuts, { batchSize })).toEqual(rule.map(({ out }) => out));
        const last = new Map<string, number>();
        for (const { key, at } of rule) {
          expect(at - (last.get(key) ?? Number.NEGATIVE_INFINITY)).toBeGreaterThanOrEqual(10 * SECOND);
          last.set(key, at);
        }
      }),
      { seed: SEED, numRuns },
    );
  });

  test('lets the oldest leave early at the bound in bytes, whatever the batches (W5, B3)', async () => {
    // A count of a key of two bytes counts 64 + 2 + 8.
    const topology = await counting('{ every: 10s, maxBytes: 225B }');
    await fc.assert(
      fc.asyncProperty(scenario, async ([records, cuts, batchSize]) => {
        const rule = expected(records, 10 * SECOND, 3).map(({ out }) => out);
        expect(await run(topology, records, [], {})).toEqual(rule);
        expect(await run(topology, records, cuts, { batchSize })).toEqual(rule);
      }),
      { seed: SEED, numRuns },
    );
  });

  test('is undone with an aborted batch, and done again (B6)', async () => {
    const topology = await counting('10s');
    await fc.assert(
      fc.asyncProperty(scenario, async ([records, cuts, batchSize]) => {
        const rule = expected(records, 10 * SECOND).map(({ out }) => out);
        const driver = await TopologyDriver.open(topology, { batchSize, commit: false });
        const [first = 0, second = records.length] = cuts;
        driver.send('in', records.slice(0, first));
        await driver.settle();
        await driver.commit();
        const committed = shown(driver).length;
        driver.send('in', records.slice(first, second));
        await driver.settle();
        await driver.abort();
        const aborted = shown(driver).length;
        driver.send('in', records.slice(second));
        await driver.settle();
        const out = shown(driver);
        await driver.close();
        expect([...out.slice(0, committed), ...out.slice(aborted)]).toEqual(rule);
        expect(out.slice(0, aborted)).toEqual(rule.slice(0, aborted));
      }),
      { seed: SEED, numRuns },
    );
  });

  test('keeps headers, tombstones, and every kind of value as the step made it', async () => {
    const plugin = new URL('./emitting-plugin.mjs', import.meta.url).pathname;
    const topology = await topologyOf(
      `from: { topic: in, value: json }\nsteps:\n  - use: ${plugin}\n    emit: 1s\nto: { topic: out, value: { format: msgpack, as: bigint } }\n`,
    );
    const driver = await TopologyDriver.open(topology);
    const headers = [
      { key: 'h', value: Buffer.from('1') },
      { key: 'empty', value: null },
    ];
    const kinds = ['number', 'bigint', 'bytes', 'object', 'null', 'text'];
    driver.send('in', [...kinds.map((kind) => sent(kind, JSON.stringify(kind), 0, { headers })), sent('end', '"text"', 1000)]);
    await driver.settle();
    const out = driver.output('out');
    expect(out.map(({ key }) => String(key))).toEqual(kinds);
    expect(out[0]?.headers).toEqual(headers);
    const decode = topology.nodes.get('main-to-out');
    if (decode?.kind !== 'sink') throw new Error('no sink');
    const values = out.map(({ value }) => value && decode.value.deserialize(value));
    expect(values).toEqual([1.5, 9007199254740991n, Buffer.from([0, 255]), { a: [1, { b: null }] }, null, 'é']);
    await driver.close();
  });

  test('keeps what waits in a store of its own, only where emit is a time', async () => {
    const names = async (emit: string): Promise<string[]> => [...(await counting(emit)).stores.keys()];
    expect(await names('batch')).toEqual(['main-count']);
    expect(await names('update')).toEqual(['main-count']);
    expect(await names('10s')).toEqual(['main-count', 'main-count-emit']);
    const { stores } = await topologyOf('from: in\nsteps:\n  - count:\n    emit: 10s\n    store: { engine: memory, standby: 1 }\nto: out\n');
    expect(stores.get('main-count-emit')).toMatchObject({ engine: 'memory', standby: 1, changelog: { topic: 'app-main-count-emit-changelog' } });
    const without = await topologyOf('from: in\nsteps:\n  - count:\n    emit: 10s\n    store: { changelog: false }\nto: out\n');
    expect(without.stores.get('main-count-emit')?.changelog).toBeUndefined();
  });

  test('lets equal keys of a step that has no store meet before it (S16)', async () => {
    const plugin = new URL('./emitting-plugin.mjs', import.meta.url).pathname;
    const { repartitions } = await topologyOf(`from: in\nsteps:\n  - keyBy: value.a\n  - use: ${plugin}\n    emit: 1s\nto: out\n`);
    expect(repartitions.map(({ topic }) => topic)).toEqual(['app-main-keyBy-repartition']);
  });

  test('keeps to the rule where many keys wait, in rows of any size', async () => {
    const topology = await counting('10s');
    const records = Array.from({ length: 2500 }, (_, i) => record(`k${(i * 7919) % 900}`.padEnd(i % 3 === 0 ? 6 : 90, '-'), i * 13));
    const rule = expected(records, 10 * SECOND).map(({ out }) => out);
    expect(rule.length).toBeGreaterThan(1000);
    for (const batchSize of [1000, 37]) expect(await run(topology, records, [900, 1500], { batchSize })).toEqual(rule);
  }, 30_000);

  /** What a restore leaves of the rows of outputs that wait, beside a queue that is of another time or missing. */
  test('makes its queue anew after a restore, whatever the changelog brought and whatever stands there', async () => {
    const topology = await counting('10s');
    const waitingOf = (driver: TopologyDriver) => driver.store<Buffer, Buffer>('main-count-emit');
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(30), { minLength: 1, maxLength: 60 }),
        fc.nat(60),
        fc.func(fc.boolean()),
        fc.boolean(),
        async (keys, cut, lost, stale) => {
          // All within ten seconds, so that nothing leaves.
          const records = keys.map((key, i) => record(`k${key}`, 1000 + i));
          const first = await TopologyDriver.open(topology);
          const second = await TopologyDriver.open(topology);
          for (const part of [records.slice(0, cut), records.slice(cut)]) {
            first.send('in', part);
            await first.settle();
            if (part.length === cut && stale) for await (const [row, value] of waitingOf(first).all()) waitingOf(second).put(row, value);
          }
          for await (const [row, value] of waitingOf(first).all()) if (row[0] === 0x6b && !lost(String(row))) waitingOf(second).put(row, value);
          const kept: string[] = [];
          for await (const [row] of waitingOf(second).all()) if (row[0] === 0x6b) kept.push(String(row.subarray(1)));
          second.send('in', [record('new', 2000), record('end', 13_000)]);
          await second.settle();
          const keysOut = second.output('out').map(({ key }) => String(key));
          expect([...keysOut].sort()).toEqual([...kept, 'new'].sort());
          expect(keysOut.at(-1)).toBe('new');
          // In the order in which they began to wait.
          const begun = [...new Set(keys.map((key) => `k${key}`))];
          expect(keysOut.slice(0, -1)).toEqual(begun.filter((key) => kept.includes(key)));
          const rows: string[] = [];
          for await (const [row] of waitingOf(second).all()) rows.push(String(row));
          expect(rows).toEqual(['kend', 'q']);
          await first.close();
          await second.close();
        },
      ),
      { seed: SEED, numRuns: Math.min(numRuns, 40) },
    );
  });

  test('leaves nothing behind when all has left', async () => {
    const driver = await TopologyDriver.open(await counting('10s'));
    driver.send('in', [...Array.from({ length: 50 }, (_, i) => record(`k${i}`, i)), record('z', 30_000, 'unseen')]);
    await driver.settle();
    const rows: string[] = [];
    for await (const [key] of driver.store<Buffer, Buffer>('main-count-emit').all()) rows.push(String(key));
    expect(shown(driver)).toHaveLength(50);
    expect(rows).toEqual(['q']);
    await driver.close();
  });
});
