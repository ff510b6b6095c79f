import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Counter, noMetrics } from '../../../src/core/metrics.js';
import { OutputBatch } from '../../../src/core/output-batch.js';
import type { WorkerOptions } from '../../../src/runtime/worker-options.js';
import { commits, EXACTLY_ONCE, Machine, type Process } from './changelog-bench.js';
import { type Flow, onError } from './harness.js';
import { flowFrom, joined } from './joining.js';
import { WorkerBench } from './worker-bench.js';

const DIRECTORY = 'state/names/0';
let bench: WorkerBench;
let machine: Machine;
let flow: Flow;

beforeEach(async () => {
  bench = WorkerBench.withTopics('in', 'out', 'dead');
  bench.broker.createTopic('table', 1, { 'cleanup.policy': 'compact' });
  machine = new Machine(bench);
  flow = await flowFrom(joined());
});

afterEach(() => bench.close());

function put(topic: string, value: unknown, timestamp: number, key: string | null = 'k'): void {
  const bytes = value === null ? null : Buffer.from(JSON.stringify(value));
  bench.broker.append(topic, { partition: 0, key: key === null ? null : Buffer.from(key), value: bytes, timestamp });
}

const stream = (n: number, time: number, key = 'k'): void => put('in', { n }, time, key);
const row = (value: unknown, time: number, key: string | null = 'k'): void => put('table', value, time, key);

/** Name that each record of the stream met. */
const met = (): unknown[] => bench.values('out').map((value) => `${(value as { n: number }).n}=${(value as { name: unknown }).name}`);

const contents = (): Record<string, unknown> => machine.contents('names', DIRECTORY);

async function processed(input: number, table: number): Promise<void> {
  await bench.until(() => bench.committed('in') === input && bench.committed('table') === table, 10);
}

const start = (options: Partial<WorkerOptions> = {}): Process => machine.start(flow, { ...commits(0), ...options });

const GUARANTEES: readonly (readonly [string, object])[] = [
  ['at-least-once', {}],
  ['exactly-once', EXACTLY_ONCE],
];

describe.each(GUARANTEES)('S5: a table, %s', (_, guarantee) => {
  test('holds the bytes of its topic; a null value deletes; nothing is written to a topic but the output', async () => {
    bench.broker.append('table', { partition: 0, key: Buffer.from('k'), value: Buffer.from('{ "as": "it stands" }'), timestamp: 1 });
    row('gone', 2, 'g');
    row(null, 3, 'g');
    stream(1, 10);
    const process = start(guarantee);
    await processed(1, 3);
    await process.stop();
    expect(contents()).toEqual({ k: { as: 'it stands' } });
    expect(process.diary.filter((call) => call.startsWith('send '))).toEqual(['send out']);
    expect(process.diary.filter((call) => call.startsWith('create'))).toEqual([]);
    expect(bench.broker.records('table')).toHaveLength(3);
    expect(machine.positions.get(DIRECTORY)).toMatchObject([
      { topic: 'in', offset: 1 },
      { topic: 'table', offset: 3, topicId: expect.any(String) },
    ]);
  });

  test('goes on after a restart from where it was, and reads nothing twice', async () => {
    row('old', 5);
    stream(1, 10);
    const first = start(guarantee);
    await processed(1, 1);
    await first.stop();
    stream(2, 20);
    row('new', 30);
    stream(3, 40);
    start(guarantee);
    await processed(3, 2);
    expect(met()).toEqual(['1=old', '2=old', '3=new']);
    expect(bench.restored()).toBe(0);
  });

  test('on another machine it is restored to the committed offset only: the rest comes as input, in its time', async () => {
    row('older', 4);
    row('old', 5);
    stream(1, 10);
    const first = start(guarantee);
    await processed(1, 2);
    await first.stop();
    machine.wipe();
    stream(2, 20);
    row('new', 30);
    stream(3, 40);
    const second = start(guarantee);
    await processed(3, 3);
    expect(met()).toEqual(['1=old', '2=old', '3=new']);
    expect(bench.restored()).toBe(2);
    await second.stop();
    expect(contents()).toEqual({ k: 'new' });
  });

  test('killed between a commit and the flush: what the disk misses comes from the topic', async () => {
    row('old', 5);
    stream(1, 10);
    const first = start(guarantee);
    await processed(1, 1);
    first.mortal.alsoOnCall((call, when) => {
      if (when === 'after' && /^(transaction\.)?commit$/.test(call)) first.kill();
    });
    row('new', 20);
    row('another', 20, 'other');
    await processed(1, 3);
    expect(contents()).not.toMatchObject({ k: 'new' });
    stream(2, 30);
    row('newer', 40);
    const second = start(guarantee);
    await processed(2, 4);
    expect(met()).toEqual(['1=old', '2=new']);
    await second.stop();
    expect(contents()).toEqual({ k: 'newer', other: 'another' });
  });

  test('a stop before anything was committed leaves nothing that stands in the way', async () => {
    row('old', 5);
    const first = start(guarantee);
    first.mortal.onCall = (call) => {
      if (call === 'commit' || call === 'transaction.commit') first.kill();
    };
    await bench.until(() => first.mortal.dead, 10);
    stream(1, 10);
    start(guarantee);
    await processed(1, 1);
    expect(met()).toEqual(['1=old']);
  });

  test('is read to what the broker has before the stream goes on, however little is read at once (T4)', async () => {
    for (let n = 0; n < 3_000; n++) row(`v${n}`, n);
    for (let n = 0; n < 1_500; n++) stream(n, 5_000);
    start(guarantee);
    await processed(1_500, 3_000);
    expect(met()).toEqual(Array.from({ length: 1_500 }, (_, n) => `${n}=v2999`));
  });

  test('versions and times are those of the records, also when they are restored', async () => {
    flow = await flowFrom(joined(', type: versioned, history: 1m'));
    row('v10', 10);
    row('v30', 30);
    row('late v20', 20);
    stream(1, 40);
    const first = start(guarantee);
    await processed(1, 3);
    await first.stop();
    machine.wipe();
    for (const [n, time] of [5, 10, 19, 20, 29, 30].entries()) stream(n, time);
    start(guarantee);
    await processed(7, 3);
    expect(met()).toEqual(['1=v30', '0=null', '1=v10', '2=v10', '3=late v20', '4=late v20', '5=v30']);
  });

  test('a store that keeps counts beside it has its changelog, and goes on counting', async () => {
    const counting = (table: string): string =>
      `${table}from: in\nsteps:\n${table && '  - join: names\n    as: name\n    kind: left\n'}  - count:\n    emit: update\n    store: { engine: memory }\nto: { topic: out, value: json }\n`;
    flow = await flowFrom(counting(''));
    stream(1, 10);
    const first = start(guarantee);
    await bench.until(() => bench.committed('in') === 1, 10);
    await first.stop();
    machine.wipe();
    flow = await flowFrom(counting('tables: { names: { topic: table, engine: memory } }\n'));
    row('x', 1);
    stream(2, 20);
    const second = start(guarantee);
    await processed(2, 1);
    await second.stop();
    expect(bench.values('out')).toEqual([1, 2]);
    expect(machine.contents('names', 'state/main-count/0')).toEqual({ k: 'x' });
    machine.wipe();
    stream(3, 30);
    start(guarantee);
    await bench.until(() => bench.values('out').length === 3, 10);
    expect(bench.values('out')).toEqual([1, 2, 3]);
  });
});

describe('what happens to its topic and its offsets', () => {
  test('a record without a key is left out, with a warning and a count', async () => {
    const dropped: Record<string, number> = {};
    const metrics = {
      ...noMetrics,
      counter: (name: string, labels: Readonly<Record<string, string>> = {}): Counter => ({
        add: (amount = 1) => {
          if (name === 'records_dropped_total') dropped[`${labels.step} ${labels.reason}`] = (dropped[`${labels.step} ${labels.reason}`] ?? 0) + amount;
        },
      }),
    };
    row('a', 1, null);
    row('b', 2, null);
    row('c', 3);
    stream(1, 10);
    start({ metrics });
    await processed(1, 3);
    expect(met()).toEqual(['1=c']);
    expect(dropped).toEqual({ 'table-names null-key': 2 });
    expect(bench.warnings).toContainEqual({
      fields: { topic: 'table', partition: 0, offset: 0, records: 2 },
      message: 'records without a key are left out of the table "names"',
    });
  });

  test('offsets that were set back, or deleted: it is built anew up to there', async () => {
    row('old', 5);
    row('new', 30);
    stream(1, 40);
    const first = start();
    await processed(1, 2);
    await first.stop();
    expect(contents()).toEqual({ k: 'new' });
    const { metadata } = bench.broker.group('app').committed({ topic: 'table', partition: 0 })!;
    bench.broker.group('app').commit([{ topic: 'table', partition: 0, offset: 1, metadata }]);
    stream(2, 20);
    start();
    await processed(2, 2);
    expect(met()).toEqual(['1=new', '2=old']);
  });

  test('a topic that lost what followed the committed offset: the table is what is left of it', async () => {
    row('old', 5, 'gone');
    row('old', 6);
    stream(1, 10);
    const first = start();
    await processed(1, 2);
    await first.stop();
    row('lost', 20, 'gone');
    row('new', 21);
    bench.broker.log({ topic: 'table', partition: 0 }).deleteBefore(3);
    stream(2, 30, 'gone');
    stream(3, 30);
    const second = start();
    await processed(3, 4);
    await second.stop();
    expect(met()).toEqual(['1=old', '2=null', '3=new']);
    expect(contents()).toEqual({ k: 'new' });
  });

  test('a topic that was made again and ends before the committed offset', async () => {
    for (const time of [5, 6, 7]) row('old', time, `gone ${time}`);
    stream(1, 10);
    const first = start();
    await processed(1, 3);
    await first.stop();
    const { metadata } = bench.broker.group('app').committed({ topic: 'table', partition: 0 })!;
    bench.broker.deleteTopic('table');
    bench.broker.createTopic('table', 1, { 'cleanup.policy': 'compact' });
    bench.broker.group('app').commit([{ topic: 'table', partition: 0, offset: 3, metadata }]);
    row('new', 20);
    stream(2, 30);
    const second = start();
    await processed(2, 1);
    await second.stop();
    expect(met()).toEqual(['1=null', '2=new']);
    expect(contents()).toEqual({ k: 'new' });
  });

  test('a value that is not in its format is the fault of the record that meets it, and of nothing else', async () => {
    bench.broker.append('table', { partition: 0, key: Buffer.from('bad'), value: Buffer.from('{'), timestamp: 1 });
    row('good', 2);
    stream(1, 10);
    stream(2, 20, 'bad');
    stream(3, 30);
    start({ onError: onError('dead-letter'), deadLetter: 'dead' });
    await processed(3, 2);
    expect(met()).toEqual(['1=good', '3=good']);
    const [letter] = bench.broker.records('dead');
    expect(String(letter?.key)).toBe('bad');
    expect(letter?.headers.map(({ key, value }) => `${key}: ${value}`)).toContainEqual(
      expect.stringMatching(/^__streams\.errors\.message: the table "names" has a value that is not json: /),
    );
  });

  test('records that were left out for their times are left out by a restore too', async () => {
    flow = await flowFrom(joined(", timestamp: 'value.at'"));
    row({ at: 5, v: 'good' }, 0);
    row({ v: 'no time' }, 0);
    stream(1, 10);
    const options = { onError: onError('skip') };
    const first = start(options);
    await processed(1, 2);
    await first.stop();
    expect(contents()).toEqual({ k: { at: 5, v: 'good' } });
    machine.wipe();
    stream(2, 20);
    const second = start(options);
    await processed(2, 2);
    await second.stop();
    expect(contents()).toEqual({ k: { at: 5, v: 'good' } });
  });

  test('an aborted write of others is not restored', async () => {
    row('old', 5);
    const foreign = await bench.broker.sink({ transactionalId: 'foreign' });
    const outputs = new OutputBatch();
    outputs.add('table', 0, 6, 0);
    outputs.key(Buffer.from('k'));
    outputs.value(Buffer.from('"aborted"'));
    await foreign.send(outputs);
    await foreign.flush();
    await foreign.transaction!.abort();
    row('other', 7, 'other');
    stream(1, 10);
    const first = start();
    await bench.until(() => met().length === 1 && (bench.committed('table') ?? 0) >= 2, 10);
    await first.stop();
    machine.wipe();
    stream(2, 20);
    const second = start();
    await bench.until(() => met().length === 2, 10);
    await second.stop();
    expect(met()).toEqual(['1=old', '2=old']);
    expect(contents()).toEqual({ k: 'old', other: 'other' });
  });

  test('a topic of a table that is not compacted is warned of once, and one that is not at all', async () => {
    const about = (): unknown[] => bench.warnings.filter(({ message }) => message.includes('are not compacted')).map(({ fields }) => fields);
    const first = start();
    await processed(0, 0);
    await first.stop();
    expect(about()).toEqual([]);
    bench.broker.createTopic('deleted');
    flow = await flowFrom(joined().replace('topic: table', 'topic: deleted'));
    start();
    await bench.until(() => bench.committed('deleted') === 0, 10);
    expect(about()).toEqual([{ topics: ['deleted'] }]);
  });

  test('J3: another number of partitions than the stream has', async () => {
    bench.broker.createTopic('wide', 3);
    flow = await flowFrom(joined().replace('from: in', 'from: wide'));
    expect(await start().ended).toMatchObject({
      code: 'topic/not-copartitioned',
      message: '"table" has 1 partitions and "wide" has 3, but they share the store "names"',
    });
  });

  test('a keyBy before the join goes through a topic with the partitions of the table', async () => {
    bench.broker.createTopic('narrow', 3);
    bench.broker.createTopic('wide-table', 2, { 'cleanup.policy': 'compact' });
    const text = 'tables: { names: { topic: wide-table, engine: memory } }\nfrom: narrow\nsteps: [{ keyBy: value.who }, { join: names, as: name }]\nto: out\n';
    flow = await flowFrom(text);
    for (const key of ['a', 'b', 'c', 'd'])
      bench.broker.append('wide-table', { key: Buffer.from(key), value: Buffer.from(`"${key.toUpperCase()}"`), timestamp: 1 });
    const first = start();
    await bench.until(() => [0, 1].every((partition) => bench.committed('wide-table', partition) !== undefined), 10);
    await bench.until(() => [0, 1].reduce((sum, partition) => sum + (bench.committed('wide-table', partition) ?? 0), 0) === 4, 10);
    for (const [i, who] of ['a', 'b', 'c', 'd'].entries())
      bench.broker.append('narrow', { partition: i % 3, key: null, value: Buffer.from(JSON.stringify({ who })), timestamp: 10 });
    await bench.until(() => bench.values('out').length === 4, 10);
    expect((bench.values('out') as { name: string }[]).map(({ name }) => name).sort()).toEqual(['A', 'B', 'C', 'D']);
    expect(bench.broker.partitionCount('app-main-keyBy-repartition')).toBe(2);
    await first.stop();
  });

  test('a topic that is deleted and made again while the worker runs', async () => {
    const process = start({ watchMs: 20 });
    await processed(0, 0);
    bench.broker.deleteTopic('table');
    bench.broker.createTopic('table');
    expect(await process.ended).toMatchObject({ code: 'topic/recreated', message: expect.stringContaining('the topic "table" of the table "names"') });
  });
});

describe('a table that does not change', () => {
  test('says so on disk at a stop and every ten minutes, so that its position does not grow too old', async () => {
    row('old', 5);
    const process = start(commits(0, 1000));
    await processed(0, 1);
    await bench.until(() => contents().k === 'old', 10);
    const timeOf = (): number => machine.positions.get(DIRECTORY)?.find(({ topic }) => topic === 'table')?.time ?? 0;
    const before = timeOf();
    bench.clock.advance(11 * 60_000);
    await bench.until(() => timeOf() >= before + 10 * 60_000);
    bench.clock.advance(5 * 60_000);
    await process.stop();
    expect(timeOf()).toBe(bench.clock.now());
  });
});
