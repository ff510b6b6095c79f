import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { DaemonProcess } from './daemon-process.js';
import { KafkaData } from './kafka-data.js';
import { Scratch, unique } from './scratch.js';

const CUSTOMERS = 5_000;
const PLUGIN = path.resolve(import.meta.dirname, '../../pipelines/plugins/value-counting.js');

const brokers = inject('brokers');
let kafka: KafkaData;

beforeAll(async () => {
  kafka = await KafkaData.connect(brokers);
});

afterAll(() => kafka.close());

/** The example's engine, with its restores noted in a file. */
const noted = (file: string): string => `
import { appendFileSync } from 'node:fs';
import { countsOf, valueCounting } from ${JSON.stringify(PLUGIN)};
export { PlanChanges } from ${JSON.stringify(PLUGIN)};
export const engine = {
  persistent: false,
  open(options) {
    const counted = valueCounting.open(options);
    const { restoreBatch, put } = counted;
    let written = 0;
    counted.put = (key, value) => { written++; put.call(counted, key, value); };
    counted.restoreBatch = (records) => {
      restoreBatch.call(counted, records);
      appendFileSync(${JSON.stringify(file)}, JSON.stringify({ restored: records.length, counts: countsOf(options.store) }) + '\\n');
    };
    return counted;
  },
};
`;

const planOf = (customer: number, year: number): string => (['basic', 'silver', 'gold'] as const)[(customer + year) % 3] as string;

it('a plugin’s engine in memory is filled from its changelog through restoreBatch at every start (S2, S4)', async () => {
  const scratch = new Scratch();
  const [name, from, to] = [unique('plans'), await kafka.createTopic(unique('in')), await kafka.createTopic(unique('out'))];
  const notes = scratch.path('restores.jsonl');
  scratch.file('noted.mjs', noted(notes));
  const file = scratch.file(
    'p.yaml',
    `name: ${name}\nkafka: ${brokers}\nstores: { plans: { engine: ./noted.mjs#engine, value: string } }\nfrom: ${from}\nsteps:\n  - use: ./noted.mjs#PlanChanges\n    stores: [plans]\nto: ${to}\n`,
  );
  const send = (from_: number, to_: number, year: number): Promise<void> =>
    kafka.produce(
      from,
      Array.from({ length: to_ - from_ }, (_, i) => ({ key: `c${from_ + i}`, value: JSON.stringify({ plan: planOf(from_ + i, year) }) })),
    );
  const run = async (): Promise<void> => {
    const daemon = await DaemonProcess.ready([file], { stateDir: scratch.path('state'), flags: ['--instance-id', 'one'] });
    await kafka.untilCommitted(name, from, 60_000);
    expect((await daemon.stop()).code).toBe(0);
  };
  await send(0, CUSTOMERS, 1);
  await run();
  expect(existsSync(notes)).toBe(false);
  expect(await kafka.size(to)).toBe(CUSTOMERS);

  // The same plans once more tell nothing, if the store knows them; then some change.
  await send(0, CUSTOMERS, 1);
  await send(0, 100, 2);
  await run();
  const restores = readFileSync(notes, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(restores.reduce((sum, { restored }) => sum + restored, 0)).toBe(CUSTOMERS);
  const counts = { basic: 0, silver: 0, gold: 0 };
  for (let i = 0; i < CUSTOMERS; i++) counts[planOf(i, 1) as keyof typeof counts]++;
  expect(restores.at(-1).counts).toEqual(counts);
  const told = (await kafka.read(to)).slice(CUSTOMERS).map(({ key, value }) => `${key} ${value}`);
  expect(told).toEqual(Array.from({ length: 100 }, (_, i) => `c${i} ${JSON.stringify({ from: planOf(i, 1), to: planOf(i, 2) })}`));
});
