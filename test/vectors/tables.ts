import { expect } from 'vitest';
import { InputQueue } from '../../src/runtime/input-queue.js';
import { OrderedInputs } from '../../src/runtime/ordered-inputs.js';
import { SourceRunner } from '../../src/runtime/source-runner.js';
import { jsonSerde } from '../../src/serdes/json.js';
import { stringSerde } from '../../src/serdes/string.js';
import { LogBatch } from '../../src/testing/partition-log.js';
import { TopologyDriver } from '../../src/testing/topology-driver.js';
import { topologyOf } from '../unit/runtime/joining.js';
import { type Skipped, skip, type Vector } from './vector.js';

type Row = readonly [side: 'L' | 'R', value: string | null, time: number];

/** Rows come one by one, so each is taken when it is there, whatever its time. */
export async function streamTableJoin({ given, expect: expected }: Vector): Promise<Skipped | undefined> {
  if (given.in === undefined) return skip('J2: a join that holds its stream back by a grace is not part of the language');
  for (const kind of ['inner', 'left']) {
    const text = `tables: { t: { topic: right, engine: memory } }\nfrom: left\nsteps:\n  - join: t\n    as: right\n    kind: ${kind}\nto: out\n`;
    const driver = await TopologyDriver.open(await topologyOf(text));
    const outputs: Record<string, string> = {};
    for (const [i, [side, value, timestamp]] of (given.in as Row[]).entries()) {
      const before = driver.output('out').length;
      const bytes = value === null ? null : Buffer.from(JSON.stringify(side === 'L' ? { value } : value));
      driver.send(side === 'L' ? 'left' : 'right', [{ key: Buffer.from(String(given.key)), value: bytes, timestamp }]);
      await driver.settle();
      for (const output of driver.output('out').slice(before)) {
        const { value: left, right } = JSON.parse(String(output.value));
        outputs[i + 1] = `${left}-${right}@${output.timestamp}`;
      }
    }
    expect(outputs).toEqual(expected[kind]);
    await driver.close();
  }
  return undefined;
}

export async function table({ given, expect: expected }: Vector): Promise<Skipped | undefined> {
  const driver = await TopologyDriver.open(await topologyOf('tables: { t: { topic: in, engine: memory, type: timestamped } }\nfrom: unused\nto: out\n'));
  const store = driver.store<string, { value: string; timestamp: number }>('t');
  const keys = new Set<string>();
  for (const [i, [key, value, timestamp]] of (given.in as [string, string | null, number][]).entries()) {
    keys.add(key);
    driver.send('in', [{ key: Buffer.from(key), value: value === null ? null : Buffer.from(JSON.stringify(value)), timestamp }]);
    await driver.settle();
    const wanted = expected.state_after[i + 1] as Record<string, unknown> | undefined;
    for (const one of Object.keys(wanted ?? {})) {
      const found = store.get(one);
      expect(found && [found.value, found.timestamp]).toEqual(wanted?.[one]);
    }
  }
  await driver.close();
  return undefined;
}

/** Partitions of one task, as topics here: those of one topic are tasks of their own. */
export async function selection({ given, expect: expected }: Vector): Promise<Skipped | undefined> {
  if (given.add === undefined) return skip('T5: the times that a task starts with are tested with its metadata, in test/unit/runtime');
  const inputs = new Map<number, Input>((given.add as { p: number }[]).map(({ p }) => [p, new Input(p)]));
  const ordered = new OrderedInputs([...inputs.values()].map(({ queue }) => queue));
  for (const { p, ts } of given.add) inputs.get(p)?.push(ts);
  const times = { streamTime: -1 };
  expect(times.streamTime).toBe(expected.before_first_pop_stream_time);
  const seen: Record<string, unknown[]> = { pops: [], stream_time: [], lateness: [], partition1_time: [], partition2_time: [] };
  for (let pops = 1; ; pops++) {
    const queue = ordered.next(() => true);
    const stretch = queue?.next(1);
    if (queue === undefined || stretch === undefined) break;
    const { records, end } = queue.source.read(stretch.raw, stretch.from, stretch.to, times, undefined);
    queue.advanceTo(end);
    const time = records[0]?.timestamp as number;
    seen.pops?.push([Number(queue.partition.topic), time]);
    seen.stream_time?.push(times.streamTime);
    seen.lateness?.push(times.streamTime - time);
    for (const p of [1, 2]) seen[`partition${p}_time`]?.push(inputs.get(p)?.queue.source.partitionTime);
    const then = given.then_after_pops?.[pops];
    if (then) inputs.get(then.p)?.push(then.ts);
  }
  const { before_first_pop_stream_time: _, ...rest } = expected;
  expect(seen).toEqual(rest);
  return undefined;
}

class Input {
  readonly queue: InputQueue;
  private next = 0;

  constructor(readonly p: number) {
    const partition = { topic: String(p), partition: 0 };
    const node = { kind: 'source', name: 'in', topics: [partition.topic], key: stringSerde, value: jsonSerde } as const;
    this.queue = new InputQueue(partition, new SourceRunner(node, partition), 0);
  }

  push(times: readonly number[]): void {
    const { topic, partition } = this.queue.partition;
    const records = times.map((timestamp) => ({ offset: this.next++, timestamp, key: Buffer.from('k'), value: null, headers: [] }));
    this.queue.push(new LogBatch(topic, partition, records));
  }
}
