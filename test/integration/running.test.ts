import path from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { DaemonProcess } from './daemon-process.js';
import { KafkaData } from './kafka-data.js';
import { Scratch, unique } from './scratch.js';

const brokers = inject('brokers');
const wordCount = path.resolve(import.meta.dirname, '../../pipelines/word-count.yaml');
let kafka: KafkaData;

beforeAll(async () => {
  kafka = await KafkaData.connect(brokers);
});

afterAll(() => kafka.close());

/** A pipeline that passes on what it reads. */
function echo(name: string, from: string, to: string): string {
  return `name: ${name}\nkafka: ${brokers}\nfrom: { topic: ${from}, value: bytes }\nto: ${to}\n`;
}

const int64 = (value: Buffer | null): number => Number(value?.readBigInt64BE());

describe('word-count', () => {
  it('counts every word, and its metrics, /ready and /live tell of the work', async () => {
    const scratch = new Scratch();
    const [name, sentences, counts] = [unique('word-count'), await kafka.createTopic(unique('sentences'), 2), await kafka.createTopic(unique('counts'))];
    // The example as it is, with names of this test's own merged over it; its tests speak of the old ones.
    const names = scratch.file('names.yaml', `name: ${name}\nfrom: { topic: ${sentences} }\nto: { topic: ${counts} }\ntests: null\n`);
    await kafka.produce(
      sentences,
      [...Array(50)].flatMap(() => [{ value: 'Hello, world' }, { value: 'hello kafka' }]),
    );
    const daemon = await DaemonProcess.ready(['-f', wordCount, '-f', names], { stateDir: scratch.path('state'), env: { KAFKA_BROKERS: brokers } });
    const repartition = `${name}-main-keyBy-repartition`;
    await kafka.untilCommitted(name, sentences);
    await kafka.untilCommitted(name, repartition);

    const last = new Map<string, number>();
    for (const { key, value } of await kafka.read(counts)) last.set(String(key), int64(value));
    expect(Object.fromEntries(last)).toEqual({ hello: 100, world: 50, kafka: 50 });

    expect(await daemon.metric('records_in_total', { topic: sentences })).toBe(100);
    expect(await daemon.metric('records_out_total', { topic: repartition })).toBe(200);
    expect(await daemon.metric('records_in_total', { topic: repartition })).toBe(200);
    expect(await daemon.metric('records_out_total', { topic: counts })).toBe(await kafka.size(counts));
    expect(await daemon.metric('commits_total', { result: 'ok', application: name })).toBeGreaterThan(0);
    expect(await daemon.metric('tasks')).toBe(4);
    expect(await daemon.metric('ready')).toBe(1);
    await daemon.until('lag 0 of both partitions', async () => (await daemon.metric('lag_records', { topic: sentences })) === 0);
    expect(await daemon.get('/live')).toEqual({ status: 200, body: '{"live":true}\n' });
    expect(await daemon.get('/ready')).toEqual({ status: 200, body: '{"ready":true,"reasons":[]}\n' });

    expect(await daemon.stop()).toEqual({ code: 0, signal: null });
    expect(daemon.said).toEqual([]);
  });
});

describe('several files', () => {
  it('are applications of their own in one process, with metrics of their own', async () => {
    const scratch = new Scratch();
    const from = await kafka.createTopic(unique('in'));
    const [one, two] = [unique('one'), unique('two')];
    const outputs = [await kafka.createTopic(unique('out')), await kafka.createTopic(unique('out'))] as const;
    const files = [scratch.file('one.yaml', echo(one, from, outputs[0])), scratch.file('two.yaml', echo(two, from, outputs[1]))];
    await kafka.produce(from, [{ value: 'a' }, { value: 'b' }]);
    const daemon = await DaemonProcess.ready(files, { stateDir: scratch.path('state') });
    for (const application of [one, two]) {
      await kafka.untilCommitted(application, from);
      expect(await daemon.metric('records_in_total', { application, topic: from })).toBe(2);
    }
    for (const to of outputs) expect((await kafka.read(to)).map(({ value }) => String(value))).toEqual(['a', 'b']);
    expect((await daemon.stop()).code).toBe(0);
  });

  it('that fail in one application stop the others cleanly, and exit 1', async () => {
    const scratch = new Scratch();
    const from = await kafka.createTopic(unique('in'));
    const to = await kafka.createTopic(unique('out'));
    const [good, bad] = [unique('good'), unique('bad')];
    const files = [
      scratch.file('good.yaml', echo(good, from, to)),
      scratch.file(
        'bad.yaml',
        `name: ${bad}\nkafka: ${brokers}\nfrom: { topic: ${from}, value: string }\nsteps:\n  - filter: value !== 'stop' || JSON.parse(value)\nto: ${to}\n`,
      ),
    ];
    const daemon = await DaemonProcess.ready(files, { stateDir: scratch.path('state') });
    await kafka.produce(from, [{ value: 'fine' }]);
    await kafka.untilCommitted(good, from);
    await kafka.untilCommitted(bad, from);
    await kafka.produce(from, [{ value: 'stop' }]);
    expect(await daemon.exited).toEqual({ code: 1, signal: null });
    expect(daemon.said[0]).toContain(`${from}-0@1: step "main-filter"`);
    expect(await kafka.committed(bad, from)).toEqual([1]);
    // The other one may not have come to the record that stopped both; what it has written it has committed.
    const [done = 0] = await kafka.committed(good, from);
    expect(new Set((await kafka.read(to)).map(({ value }) => String(value)))).toEqual(new Set(['fine', 'stop'].slice(0, done)));
  });
});

describe('-f', () => {
  it('merges: the later file wins, and what it does not say stays', async () => {
    const scratch = new Scratch();
    const [name, from, to] = [unique('merged'), await kafka.createTopic(unique('in')), await kafka.createTopic(unique('out'))];
    const base = scratch.file('base.yaml', `name: ${name}\nkafka: nowhere:1\nenv: { MIN: 5 }\nfrom: in\nsteps:\n  - filter: value.n >= env.MIN\nto: out\n`);
    const local = scratch.file('local.yaml', `kafka: ${brokers}\nenv: { MIN: 2 }\nfrom: ${from}\nto: ${to}\n`);
    await kafka.produce(
      from,
      [1, 2, 3].map((n) => ({ value: `{"n":${n}}` })),
    );
    await DaemonProcess.ready(['-f', base, '-f', local], { stateDir: scratch.path('state') });
    await kafka.untilCommitted(name, from);
    expect((await kafka.read(to)).map(({ value }) => String(value))).toEqual(['{"n":2}', '{"n":3}']);
  });
});
