import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { DaemonProcess } from './daemon-process.js';
import { KafkaData, type Outgoing } from './kafka-data.js';
import { Scratch, unique } from './scratch.js';

const RECORDS = 5_000;
/** Where the bad record lies: in the middle of a big batch. */
const POISON = 2_345;
const RAW = Buffer.from('not json \u0000\u00ff', 'latin1');

const brokers = inject('brokers');
let kafka: KafkaData;

beforeAll(async () => {
  kafka = await KafkaData.connect(brokers);
});

afterAll(() => kafka.close());

interface Setup {
  readonly scratch: Scratch;
  readonly name: string;
  readonly from: string;
  readonly to: string;
  readonly dead: string;
}

/** Topics of their own, the input filled with `{"n":0}` … and one bad record. */
async function setup(bad: Outgoing): Promise<Setup> {
  const [from, to, dead] = (await Promise.all(['in', 'out', 'dead'].map((prefix) => kafka.createTopic(unique(prefix))))) as [string, string, string];
  const created = { name: unique('poison'), from, to, dead };
  await kafka.produce(
    created.from,
    Array.from({ length: RECORDS }, (_, n) => (n === POISON ? bad : { key: `k${n}`, value: `{"n":${n}}` })),
  );
  return { scratch: new Scratch(), ...created };
}

function pipeline({ name, from, to }: Setup, more: string, step = '- set: { twice: value.n * 2 }'): string {
  return `name: ${name}\nkafka: ${brokers}\n${more}\nfrom: ${from}\nsteps:\n  ${step}\nto: ${to}\n`;
}

/** `n` of the records in a topic, in order, written as runs: `0-99 101-5000`. With `sorted`, each once and by size. */
async function numbersIn(topic: string, { sorted = false } = {}): Promise<string> {
  const all = (await kafka.read(topic)).map(({ value }) => JSON.parse(String(value)).n as number);
  const numbers = sorted ? [...new Set(all)].sort((a, b) => a - b) : all;
  const starts = numbers.filter((n, i) => i === 0 || n !== (numbers[i - 1] as number) + 1);
  const ends = numbers.filter((n, i) => i === numbers.length - 1 || n + 1 !== numbers[i + 1]);
  return starts.map((start, i) => `${start}-${ends[i]}`).join(' ');
}

const before = `0-${POISON - 1}`;
const after = `${POISON + 1}-${RECORDS - 1}`;

function headersOf(record: { headers?: readonly Readonly<Record<string, Buffer>>[] } | undefined): Record<string, string> {
  return Object.fromEntries((record?.headers ?? []).flatMap((header) => Object.entries(header).map(([name, value]) => [name, String(value)])));
}

describe('a record that cannot be read, in the middle of a batch', () => {
  it('stops the daemon with its place, after committing what came before; a restart stops there again (E2)', async () => {
    const made = await setup({ key: 'k', value: RAW });
    const file = made.scratch.file('p.yaml', pipeline(made, ''));
    for (const _start of ['first', 'again']) {
      const daemon = new DaemonProcess([file], { stateDir: made.scratch.path('state') });
      expect(await daemon.exited).toEqual({ code: 1, signal: null });
      expect(daemon.said).toHaveLength(2);
      expect(daemon.said[0]).toContain(`error record/deserialize: ${made.from}-0@${POISON}: `);
      expect(daemon.said[1]).toMatch(/^ {2}fix: /);
      expect(await kafka.committed(made.name, made.from)).toEqual([POISON]);
      expect(await numbersIn(made.to)).toBe(before);
    }
  });

  it('is skipped and counted (E1)', async () => {
    const made = await setup({ key: 'k', value: RAW });
    const daemon = await DaemonProcess.ready([made.scratch.file('p.yaml', pipeline(made, 'onError: skip'))], { stateDir: made.scratch.path('state') });
    await kafka.untilCommitted(made.name, made.from);
    expect(await numbersIn(made.to)).toBe(`${before} ${after}`);
    expect(await daemon.metric('errors_total', { stage: 'deserialize', policy: 'skip' })).toBe(1);
    const skipped = daemon.log.filter(({ msg }) => msg === 'record skipped');
    expect(skipped).toMatchObject([{ level: 'warn', topic: made.from, partition: 0, offset: POISON, code: 'record/deserialize' }]);
  });

  it('goes to the dead letter topic as it is, with KIP-1034 headers behind its own (E1)', async () => {
    const made = await setup({ key: 'k', value: RAW, headers: { trace: 'abc' }, timestamp: 1_700_000_000_000 });
    const file = made.scratch.file('p.yaml', pipeline(made, `deadLetter: ${made.dead}`));
    const daemon = await DaemonProcess.ready([file], { stateDir: made.scratch.path('state') });
    await kafka.untilCommitted(made.name, made.from);
    expect(await numbersIn(made.to)).toBe(`${before} ${after}`);
    const letters = await kafka.read(made.dead);
    expect(letters).toHaveLength(1);
    expect(String(letters[0]?.key)).toBe('k');
    expect(letters[0]?.value).toEqual(RAW);
    expect(letters[0]?.timestamp).toBe(1_700_000_000_000);
    expect(headersOf(letters[0])).toMatchObject({
      trace: 'abc',
      '__streams.errors.exception': expect.stringMatching(/Error$/),
      '__streams.errors.message': expect.stringContaining('not json'),
      '__streams.errors.stacktrace': expect.stringContaining('at '),
      '__streams.errors.topic': made.from,
      '__streams.errors.partition': '0',
      '__streams.errors.offset': String(POISON),
      'kstreamd.step': expect.any(String),
    });
    expect(await daemon.metric('errors_total', { stage: 'deserialize', policy: 'dead-letter' })).toBe(1);
  });
});

describe('a record that a step cannot handle, in the middle of a batch', () => {
  /** Fails on a record without `n`. */
  const step = (settings = ''): string => `- map: "({ n: value.n, text: value.n.toFixed(1) })"${settings}`;

  it('stops the daemon with the step and its line (E2)', async () => {
    const made = await setup({ key: 'k', value: '{"m":1}' });
    const file = made.scratch.file('p.yaml', pipeline(made, '', step()));
    const daemon = new DaemonProcess([file], { stateDir: made.scratch.path('state') });
    expect(await daemon.exited).toEqual({ code: 1, signal: null });
    expect(daemon.said[0]).toContain(`error record/process: ${made.from}-0@${POISON}: step "main-map" (${file}:6:`);
    expect(daemon.said[0]).toContain("Cannot read properties of undefined (reading 'toFixed')");
    expect(daemon.said).toHaveLength(2);
    expect(await numbersIn(made.to)).toBe(before);
  });

  it('is tried again, then goes to the dead letter topic; the others pass once (B6, E1)', async () => {
    const made = await setup({ key: 'k', value: '{"m":1}' });
    const retrying = step('\n    onError: { retry: 2, backoff: 50ms..100ms, then: dead-letter }');
    const file = made.scratch.file('p.yaml', pipeline(made, `deadLetter: ${made.dead}`, retrying));
    const daemon = await DaemonProcess.ready([file], { stateDir: made.scratch.path('state') });
    await kafka.untilCommitted(made.name, made.from);
    expect(await numbersIn(made.to)).toBe(`${before} ${after}`);
    expect(await daemon.metric('retries_total', { step: 'main-map' })).toBe(2);
    expect(daemon.log.filter(({ msg, step: of }) => of === 'main-map' && msg.endsWith('trying again')).map(({ waitMs }) => waitMs)).toEqual([50, 100]);
    const letters = await kafka.read(made.dead);
    expect(letters.map(({ value }) => String(value))).toEqual(['{"m":1}']);
    expect(headersOf(letters[0])).toMatchObject({
      '__streams.errors.exception': 'TypeError',
      '__streams.errors.offset': String(POISON),
      'kstreamd.step': 'main-map',
    });
  });

  it('that a later try can handle passes, in its place (E1)', async () => {
    const made = await setup({ key: 'k', value: `{"n":${POISON}}` });
    made.scratch.file(
      'flaky.mjs',
      `let failures = 0;\nexport class Flaky {\n  init(context) { this.context = context; }\n  process(record) {\n    if (record.value.n === ${POISON} && failures++ < 3) throw new Error('not now');\n    this.context.forward(record);\n  }\n}\n`,
    );
    // The first failure splits the batch down to the record; three in all.
    const file = made.scratch.file('p.yaml', pipeline(made, '', '- use: ./flaky.mjs#Flaky\n    onError: { retry: 20, backoff: 10ms..10ms, then: fail }'));
    const daemon = await DaemonProcess.ready([file], { stateDir: made.scratch.path('state') });
    await kafka.untilCommitted(made.name, made.from);
    expect(await numbersIn(made.to)).toBe(`0-${RECORDS - 1}`);
    expect(await daemon.metric('errors_total')).toBeUndefined();
  });
});

describe('a record larger than the topic takes, found out only by the broker', () => {
  const LARGE = `{"n":${POISON},"text":"${Array.from({ length: 5_000 }, (_, i) => (Math.imul(i, 2_654_435_761) >>> 0).toString(36)).join('')}"}`;

  async function tight(): Promise<Setup> {
    const made = await setup({ key: 'big', value: LARGE });
    return { ...made, to: await kafka.createTopic(unique('tight'), 1, { 'max.message.bytes': '20000' }) };
  }

  it('is found, and stops the daemon with its place; what came before is written and committed (E2)', async () => {
    const made = await tight();
    const file = made.scratch.file('p.yaml', pipeline(made, ''));
    const daemon = new DaemonProcess([file], { stateDir: made.scratch.path('state') });
    expect(await daemon.until('exit', () => daemon.exit, 60_000)).toEqual({ code: 1, signal: null });
    expect(daemon.said[0]).toContain(`error broker/record-too-large: ${made.from}-0@${POISON}: step "main-`);
    expect(daemon.said).toHaveLength(2);
    expect(await kafka.committed(made.name, made.from)).toEqual([POISON]);
    // Of what came after, the first try may have left some behind, which a restart writes again.
    expect(await numbersIn(made.to, { sorted: true })).toMatch(new RegExp(`^${before}( |$)`));
  });

  it('is found, and goes to the dead letter topic; all others pass (E2)', async () => {
    const made = await tight();
    const daemon = await DaemonProcess.ready([made.scratch.file('p.yaml', pipeline(made, `deadLetter: ${made.dead}`))], {
      stateDir: made.scratch.path('state'),
    });
    await daemon.until('the record is found', () => kafka.untilCommitted(made.name, made.from, 60_000).then(() => true), 60_000);
    expect(daemon.log.map(({ msg }) => msg)).toContain('an output was refused; repeating the cycle record by record');
    expect(await numbersIn(made.to, { sorted: true })).toBe(`${before} ${after}`);
    const letters = await kafka.read(made.dead);
    expect(letters.map(({ value }) => String(value))).toEqual([LARGE]);
    expect(headersOf(letters[0])).toMatchObject({ '__streams.errors.topic': made.from, '__streams.errors.offset': String(POISON) });
    expect(await daemon.metric('errors_total', { stage: 'produce', policy: 'dead-letter' })).toBe(1);
  });
});
