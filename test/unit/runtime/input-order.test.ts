import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type DriverRecord, TopologyDriver } from '../../../src/testing/topology-driver.js';
import { inputGroups } from '../../../src/topology/shared-inputs.js';
import { counting, Flow, onError, pairs, pass, sent } from './harness.js';
import { joined, topologyOf } from './joining.js';

const outputs = (driver: TopologyDriver): string[] => pairs(driver.output('out')).map((pair, i) => `${pair}@${driver.output('out')[i]?.timestamp}`);

async function run(text: string, send: (driver: TopologyDriver) => void | Promise<void>, options = {}): Promise<string[]> {
  const driver = await TopologyDriver.open(await topologyOf(text), options);
  await send(driver);
  await driver.settle();
  const left = outputs(driver);
  await driver.close();
  return left;
}

const stream = (n: number, time: number, key = 'k'): DriverRecord => sent(key, { n }, time);
const row = (value: unknown, time: number, key = 'k'): DriverRecord => sent(key, value === null ? null : JSON.stringify(value), time);

describe('T2: which record comes next', () => {
  test('that with the lowest timestamp, whatever was read first: a record meets the table as it was then', async () => {
    const out = await run(joined(), (driver) => {
      driver.send('in', [stream(1, 10), stream(2, 20), stream(3, 30)]);
      driver.send('table', [row('old', 5), row('new', 20), row('newest', 25)]);
    });
    expect(out).toEqual(['k={"n":1,"name":"old"}@10', 'k={"n":2,"name":"old"}@20', 'k={"n":3,"name":"newest"}@30']);
  });

  test('of equal ones that of the topic with the lesser name', async () => {
    const text = joined().replace('from: in', 'from: zz');
    const out = await run(text, (driver) => {
      driver.send('zz', [stream(1, 20)]);
      driver.send('table', [row('as old', 20)]);
    });
    expect(out).toEqual(['k={"n":1,"name":"as old"}@20']);
  });

  test('the head counts: what stands behind a late record waits for it', async () => {
    const out = await run(joined(), (driver) => {
      driver.send('in', [stream(1, 10), stream(2, 2), stream(3, 3), stream(4, 50)]);
      driver.send('table', [row('nine', 9), row('forty', 40), row('one', 1)]);
    });
    expect(out).toEqual(['k={"n":1,"name":"nine"}@10', 'k={"n":2,"name":"nine"}@2', 'k={"n":3,"name":"nine"}@3', 'k={"n":4,"name":"one"}@50']);
  });

  test('timestamps are those of the extractor; what has none is dealt with at once', async () => {
    const text = joined(", timestamp: 'value.at'").replace('from: in', 'from: { topic: in, timestamp: skip-invalid }');
    const send = (driver: TopologyDriver): void => {
      driver.send('in', [stream(1, 10), stream(9, -5), stream(2, 20)]);
      driver.send('table', [row({ at: 15, v: 'b' }, 0), row({ at: 'never' }, 0), row({ at: 5, v: 'a' }, 0)]);
    };
    const out = await run(text, send, { onError: onError('skip') });
    expect(out).toEqual(['k={"n":1,"name":null}@10', 'k={"n":2,"name":{"at":5,"v":"a"}}@20']);
  });

  test('nobody waits for a topic of which nothing is there', async () => {
    const out = await run(joined(), async (driver) => {
      driver.send('in', [stream(1, 10)]);
      await driver.settle();
      driver.send('table', [row('late', 5)]);
      driver.send('in', [stream(2, 20)]);
    });
    expect(out).toEqual(['k={"n":1,"name":null}@10', 'k={"n":2,"name":"late"}@20']);
  });

  test('inputs of one stateful step are such inputs too', async () => {
    const text = 'from: [a, b]\nsteps:\n  - count:\n    emit: update\n    store: { engine: memory }\nto: { topic: out, value: int64 }\n';
    const out = await run(text, (driver) => {
      driver.send('b', [stream(1, 1), stream(3, 3)]);
      driver.send('a', [stream(2, 2), stream(4, 4)]);
    });
    expect(out.map((line) => line.slice(line.indexOf('@')))).toEqual(['@1', '@2', '@3', '@4']);
  });

  test('those that share nothing are taken in turn, each batch whole', async () => {
    const flow = new Flow().source('a').source('b').step('both', ['a', 'b'], pass).sink('out', ['both']);
    const driver = await flow.open();
    driver.send('a', [sent('k', 1, 100), sent('k', 2, 200)]);
    driver.send('b', [sent('k', 3, 1), sent('k', 4, 2)]);
    await driver.settle();
    expect(pairs(driver.output('out'))).toEqual(['k=1', 'k=2', 'k=3', 'k=4']);
    await driver.close();
  });
});

test('groups of inputs that share a store', () => {
  const flow = new Flow();
  for (const topic of ['a', 'b', 'c', 'd', 'e']) flow.source(topic);
  flow
    .step('ac', ['a', 'c'], counting('one'), { stores: ['one'] })
    .step('counts-e', ['e'], counting('one'), { stores: ['one'] })
    .step('counts-b', ['b'], counting('two'), { stores: ['two'] })
    .step('all', ['ac', 'counts-b', 'd', 'counts-e'], pass)
    .sink('out', ['all']);
  const topology = flow.build();
  expect(topology.subtopologies).toHaveLength(1);
  expect(inputGroups(topology, topology.subtopologies[0]!)).toEqual([['a', 'c', 'e'], ['b'], ['d']]);
});

interface Sent {
  readonly topic: 'in' | 'table';
  readonly record: DriverRecord;
}

/** Few keys, times that jump about within each topic, rows that are deleted now and then. */
const scenario = fc.array(fc.record({ table: fc.boolean(), key: fc.nat(3), value: fc.option(fc.nat(9), { nil: null }), time: fc.nat(60) }), {
  minLength: 1,
  maxLength: 80,
});

/** The order in which records one by one are taken when all are there: the model of T2. */
function inOrder(records: readonly Sent[]): Sent[] {
  const waiting = { in: records.filter(({ topic }) => topic === 'in'), table: records.filter(({ topic }) => topic === 'table') };
  const order: Sent[] = [];
  while (waiting.in.length + waiting.table.length > 0) {
    const [a, b] = [waiting.in[0], waiting.table[0]];
    const first = b === undefined || (a !== undefined && (a.record.timestamp as number) <= (b.record.timestamp as number)) ? waiting.in : waiting.table;
    order.push(first.shift() as Sent);
  }
  return order;
}

describe('B3: a join gives what it would give record by record', () => {
  const SEED = Number(process.env.KSTREAMD_SEED ?? 20240101);
  const NUM_RUNS = Number(process.env.KSTREAMD_RUNS ?? 60);
  const TYPES = [', type: key-value', ', type: timestamped', ', type: versioned, history: 30ms'];

  test.each(TYPES)(
    '%s',
    async (type) => {
      const topology = await topologyOf(joined(type));
      const sending = fc
        .tuple(scenario, fc.integer({ min: 1, max: 30 }))
        .chain(([made, size]) => fc.tuple(fc.constant(made), fc.constant(size), fc.array(fc.nat(made.length), { maxLength: 5 })));
      await fc.assert(
        fc.asyncProperty(sending, async ([made, size, cuts]) => {
          const records = made.map(
            ({ table, key, value, time }, i): Sent =>
              table ? { topic: 'table', record: row(value, time, `k${key}`) } : { topic: 'in', record: stream(i, time, `k${key}`) },
          );
          const order = inOrder(records);
          const through = async (batchSize: number, at: readonly number[]): Promise<string[]> => {
            const driver = await TopologyDriver.open(topology, { batchSize });
            let from = 0;
            for (const cut of [...[...at].sort((a, b) => a - b), order.length]) {
              for (const { topic, record } of order.slice(from, cut)) driver.send(topic, [record]);
              from = cut;
              await driver.settle();
            }
            const left = outputs(driver);
            await driver.close();
            return left;
          };
          const single = await through(
            1,
            order.map((_, i) => i),
          );
          for (const batchSize of [1, 7, 60]) expect(await through(batchSize, [])).toEqual(single);
          expect(await through(size, cuts)).toEqual(single);
        }),
        { seed: SEED, numRuns: NUM_RUNS },
      );
    },
    60_000,
  );
});
