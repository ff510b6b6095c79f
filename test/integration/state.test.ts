import { readdirSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { CountedInput, counting, readCounts } from './counting.js';
import { DaemonProcess } from './daemon-process.js';
import { KafkaData } from './kafka-data.js';
import { Scratch, unique } from './scratch.js';

const KEYS = 100;
const brokers = inject('brokers');
const input = new CountedInput(4_000, KEYS);
let kafka: KafkaData;

beforeAll(async () => {
  kafka = await KafkaData.connect(brokers);
});

afterAll(() => kafka.close());

/** Runs the pipeline until all that is there is committed, then stops it. */
async function runOnce(file: string, name: string, from: string, stateDir: string): Promise<DaemonProcess> {
  const daemon = await DaemonProcess.ready([file], { stateDir });
  await kafka.untilCommitted(name, from);
  expect((await daemon.stop()).code).toBe(0);
  return daemon;
}

async function counted(): Promise<{ scratch: Scratch; file: string; name: string; from: string; to: string; stateDir: string }> {
  const scratch = new Scratch();
  const [name, from, to] = [unique('count'), await kafka.createTopic(unique('in'), 2), await kafka.createTopic(unique('out'), 2)];
  return { scratch, file: scratch.file('p.yaml', counting(name, brokers, from, to)), name, from, to, stateDir: scratch.path('state') };
}

describe('state on disk', () => {
  it('survives a clean restart: the count goes on (C4)', async () => {
    const { file, name, from, to, stateDir } = await counted();
    await kafka.produce(from, input.slice(0, 1_500));
    await runOnce(file, name, from, stateDir);
    expect(readdirSync(path.join(stateDir, name)).filter((entry) => !entry.startsWith('@'))).toHaveLength(1); // its one store
    await kafka.produce(from, input.slice(1_500));
    const second = await runOnce(file, name, from, stateDir);
    expect(second.log.filter(({ level }) => level !== 'info')).toEqual([]);
    expect(await readCounts(kafka, to, KEYS)).toEqual({ last: input.expected, records: input.records, gaps: 0 });
  });

  it('that is gone, without a changelog, starts empty and says so (C4)', async () => {
    const { scratch, file, name, from, to, stateDir } = await counted();
    await kafka.produce(from, input.slice(0, 1_500));
    await runOnce(file, name, from, stateDir);
    await kafka.produce(from, input.slice(1_500));
    const elsewhere = await runOnce(file, name, from, scratch.path('elsewhere'));
    expect(elsewhere.log.filter(({ level }) => level === 'warn').map(({ msg }) => msg)).toContain(
      'no state for committed input: these stores start empty here',
    );
    const rest = new CountedInput(1_500, KEYS);
    expect((await readCounts(kafka, to, KEYS)).last).toEqual(input.expected.map((count, key) => count - (rest.expected[key] as number)));
  });

  it('of a group whose offsets are gone is refused: state/offset-missing (C5)', async () => {
    const { file, name, from, to, stateDir } = await counted();
    await kafka.produce(from, input.slice());
    await runOnce(file, name, from, stateDir);
    await kafka.deleteGroup(name);
    expect(await kafka.committed(name, from)).toEqual([undefined, undefined]);

    const daemon = new DaemonProcess([file], { stateDir });
    expect(await daemon.exited).toEqual({ code: 1, signal: null });
    const ends = await kafka.ends(from);
    const missing = /^error state\/offset-missing: the group has no committed offset for (\S+)-(\d), but "(\S+)" holds its state up to (\d+)$/.exec(
      daemon.said[0] ?? '',
    );
    expect(missing, daemon.said.join('\n')).not.toBeNull();
    const [, topic, partition, folder, position] = missing as string[];
    expect(topic).toBe(from);
    expect(folder?.startsWith(path.join(stateDir, name))).toBe(true);
    expect(Number(position)).toBe(ends[Number(partition)]);
    expect(daemon.said[1]).toBe(
      `  fix: set the group's offset of ${topic}-${partition} to ${position}, or remove "${folder}" and the changelogs to start over`,
    );
    expect(daemon.said).toHaveLength(2);
    expect(await kafka.size(to)).toBe(input.records); // nothing was counted twice
  });
});
