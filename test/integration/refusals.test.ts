import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ClassicLevel } from 'classic-level';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { KafkaCluster } from '../../scripts/kafka-cluster.mjs';
import { DaemonProcess } from './daemon-process.js';
import { KafkaData } from './kafka-data.js';
import { Scratch, unique } from './scratch.js';

const brokers = inject('brokers');
let kafka: KafkaData;
let from: string;
let to: string;

beforeAll(async () => {
  kafka = await KafkaData.connect(brokers);
  [from, to] = [await kafka.createTopic(unique('in')), await kafka.createTopic(unique('out'))];
  await kafka.produce(from, [{ key: 'k', value: '{"n":1}' }]);
});

afterAll(() => kafka.close());

/** A case: what stands in the pipeline file, and what the daemon says of it, `FILE` for the file's path. */
interface Refusal {
  readonly name: string;
  readonly text: () => string;
  readonly code: number;
  readonly says: () => readonly string[];
}

const head = (name = unique('refused')): string => `name: ${name}\nkafka: ${brokers}\nfrom: ${from}\n`;
const withStep = (step: string): string => `${head()}steps:\n  - ${step}\nto: ${to}\n`;

/** A plugin module for each way in which one can fail. */
const PLUGINS = {
  'at-import.mjs': "\nthrow new Error('no licence');\n",
  'in-init.mjs': "export class Step {\n  init() { throw new Error('no connection'); }\n  process() {}\n}\n",
  'in-process.mjs': "export class Step {\n  process() { throw new Error('cannot cope'); }\n}\n",
  'other-export.mjs': 'export class Velocity { process() {} }\n',
};

const refusals: readonly Refusal[] = [
  {
    name: 'an empty file',
    text: () => '',
    code: 2,
    says: () => ['FILE:1:1: error file/empty: the file is empty', '  fix: kstreamd new writes one to start from'],
  },
  {
    name: 'tab indentation',
    text: () => 'name: app\nsteps:\n\t- count\n',
    code: 2,
    says: () => ['FILE:3:1: error yaml/tab: a tab cannot indent YAML', '  fix: indent with spaces'],
  },
  {
    name: 'an unknown key',
    text: () => `${head()}to: ${to}\nonEror: skip\n`,
    code: 2,
    says: () => ['FILE:5:1: error schema/unknown-key: unknown key "onEror"; did you mean "onError"?'],
  },
  {
    name: 'a wrong type',
    text: () => `${head()}to: ${to}\nbatch: { maxRecords: many }\n`,
    code: 2,
    says: () => ['FILE:5:22: error schema/type: maxRecords must be a whole number, not text'],
  },
  {
    name: 'an unset variable',
    text: () => `name: app\nkafka: \${NO_SUCH_BROKERS}\nfrom: ${from}\nto: ${to}\n`,
    code: 2,
    says: () => [
      'FILE:2:8: error env/unset: environment variable NO_SUCH_BROKERS is not set and has no default',
      '  fix: set NO_SUCH_BROKERS, or give a default: ${NO_SUCH_BROKERS:…}',
    ],
  },
  {
    name: 'a missing input topic',
    text: () => `name: app\nkafka: ${brokers}\nfrom: no-such-topic\nto: ${to}\n`,
    code: 2,
    says: () => [
      'error topic/missing: FILE:3:7: the topic "no-such-topic" does not exist',
      '  fix: correct the name, or create the topic: kafka-topics.sh --bootstrap-server HOST:PORT --create --topic no-such-topic --partitions N',
    ],
  },
  {
    name: 'a missing output topic',
    text: () => `${head()}to: no-such-topic\n`,
    code: 2,
    says: () => [
      'error topic/missing: FILE:4:5: the topic "no-such-topic" does not exist',
      '  fix: correct the name, or create the topic: kafka-topics.sh --bootstrap-server HOST:PORT --create --topic no-such-topic --partitions N',
    ],
  },
  {
    name: 'a broker that is not there',
    text: () => `name: app\nkafka: 127.0.0.1:1\nfrom: ${from}\nto: ${to}\n`,
    code: 3,
    says: () => [
      'error broker/unreachable: Kafka at 127.0.0.1:1 cannot be reached: Connect to ipv4#127.0.0.1:1 failed: Connection refused',
      '  fix: Start the broker, or correct kafka.brokers.',
    ],
  },
  {
    name: 'a plugin that throws at import',
    text: () => withStep('use: ./at-import.mjs'),
    code: 2,
    says: () => ['FILE:5:10: error plugin/import: importing "./at-import.mjs" failed at FOLDER/at-import.mjs:2:7: no licence'],
  },
  {
    name: 'a plugin without the export',
    text: () => withStep('use: ./other-export.mjs#Velocty'),
    code: 2,
    says: () => [
      'FILE:5:10: error plugin/no-export: "./other-export.mjs" has no export "Velocty": it exports "Velocity"; did you mean "Velocity"?',
      '  fix: write "./other-export.mjs#Velocity"',
    ],
  },
  {
    name: 'a plugin that throws in init',
    text: () => withStep('use: ./in-init.mjs#Step'),
    code: 1,
    says: () => [
      'error step/init: step "main-use" (FILE:5:5) could not be set up: no connection',
      '  fix: mend the processor, or what it needs when it starts',
    ],
  },
  {
    name: 'a plugin that throws in process',
    text: () => withStep('use: ./in-process.mjs#Step'),
    code: 1,
    says: () => [
      `error record/process: ${from}-0@0: step "main-use" (FILE:5:5): cannot cope`,
      '  fix: mend the record or the step, or let such records pass with "onError: skip" or "onError: dead-letter"',
    ],
  },
];

/** Runs it to its end; every line that it says itself, with `FILE` and `FOLDER` for paths. Fails on a stack anywhere. */
async function refusalOf(scratch: Scratch, file: string, flags: readonly string[] = []): Promise<{ code: number | null; said: string[] }> {
  const daemon = new DaemonProcess([file], { stateDir: scratch.path('state'), flags });
  const { code } = await daemon.until('the end', () => daemon.exit);
  const everything = [...daemon.said, ...daemon.log.map((line) => JSON.stringify(line))].join('\n');
  expect(everything).not.toMatch(/^ +at |\\n +at |node:internal/m);
  expect(daemon.log.filter(({ level }) => level === 'error')).toEqual([]);
  return { code, said: daemon.said.map((line) => line.replaceAll(file, 'FILE').replaceAll(scratch.folder, 'FOLDER')) };
}

describe('kstreamd run says in one message what is wrong, and exits accordingly:', () => {
  it.each(refusals.map((refusal) => [refusal.name, refusal] as const))('%s', async (_, { text, code, says }) => {
    const scratch = new Scratch();
    for (const [name, module] of Object.entries(PLUGINS)) scratch.file(name, module);
    expect(await refusalOf(scratch, scratch.file('p.yaml', text()))).toEqual({ code, said: says() });
  });

  it('no such file', async () => {
    const scratch = new Scratch();
    expect(await refusalOf(scratch, scratch.path('nowhere.yaml'))).toEqual({ code: 2, said: ['FILE:1:1: error file/not-found: no such file'] });
  });

  it('a wrong password, without telling it', async () => {
    const cluster = await KafkaCluster.start({ name: unique('sasl'), sasl: true, owned: true, shortLived: true });
    onTestFinished(() => cluster.remove());
    const { brokers: guarded, user } = cluster.sasl!;
    const scratch = new Scratch();
    const login = (mechanism: string): string =>
      scratch.file(
        `${mechanism}.yaml`,
        `name: app\nkafka:\n  brokers: ${guarded}\n  sasl: { mechanism: ${mechanism}, username: ${user}, password: Wr0ng-s3cret }\nfrom: a\nto: b\n`,
      );
    for (const mechanism of ['plain', 'scram-sha-512']) {
      const { code, said } = await refusalOf(scratch, login(mechanism));
      expect(code).toBe(3);
      expect(said).toHaveLength(2);
      expect(said[0]).toContain(`error broker/authentication: Kafka at ${guarded}: `);
      expect(said[1]).toContain('kafka.sasl');
      expect(said.join()).not.toContain('Wr0ng-s3cret');
    }
  });

  it('a store that another process holds', async () => {
    const scratch = new Scratch();
    const name = unique('locked');
    const folder = scratch.path(`state/${name}/main-count/0/db`);
    const holder = new ClassicLevel(folder);
    await holder.open();
    onTestFinished(() => holder.close());
    const { code, said } = await refusalOf(scratch, scratch.file('p.yaml', `${head(name)}steps:\n  - count\nto: { topic: ${to}, value: int64 }\n`));
    expect(code).toBe(1);
    expect(said).toEqual([
      `error store/locked: the state in ${folder.replace(scratch.folder, 'FOLDER')} is in use by another process`,
      '  fix: stop the other instance, or give this one a --state-dir of its own',
    ]);
  });

  it('a port that is in use', async () => {
    const port = await taken();
    const scratch = new Scratch();
    expect(await refusalOf(scratch, scratch.file('p.yaml', `${head()}to: ${to}\n`), ['--http', `127.0.0.1:${port}`])).toEqual({
      code: 2,
      said: [
        `error http/port-in-use: another process listens on 127.0.0.1:${port}`,
        '  fix: give another port with --http HOST:PORT; port 0 takes any free one',
      ],
    });
  });

  it('a record that the producer itself finds too large', async () => {
    const scratch = new Scratch();
    const name = unique('large');
    const { code, said } = await refusalOf(scratch, scratch.file('p.yaml', `${head(name)}steps:\n  - set: { text: "'x'.repeat(2000000)" }\nto: ${to}\n`));
    expect(code).toBe(1);
    expect(said).toHaveLength(2);
    expect(said[0]).toMatch(
      new RegExp(
        `^error record/too-large: ${from}-0@0: step "main-.*" \\(FILE:\\d+:\\d+\\): the record for "${to}" has 20000\\d\\d bytes, more than the \\d+ that the producer takes$`,
      ),
    );
    expect(said[1]).toContain('message.max.bytes');
  });
});

/** A port of loopback that somebody listens on until the test ends. */
async function taken(): Promise<number> {
  const server: Server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}
