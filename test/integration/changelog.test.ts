import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { CountedInput } from './counting.js';
import { DaemonProcess } from './daemon-process.js';
import { committedCounts, countingUnder, type Guarantee } from './exactly-once-tools.js';
import { KafkaData } from './kafka-data.js';
import { Scratch, unique } from './scratch.js';

const KEYS = 200;
const brokers = inject('brokers');
const input = new CountedInput(6_000, KEYS);
let kafka: KafkaData;

beforeAll(async () => {
  kafka = await KafkaData.connect(brokers);
});

afterAll(() => kafka.close());

async function counted(guarantee: Guarantee = 'exactly-once', partitions = 2) {
  const scratch = new Scratch();
  const [name, from, to] = [unique('count'), await kafka.createTopic(unique('in'), partitions), await kafka.createTopic(unique('out'), partitions)];
  const file = scratch.file('p.yaml', countingUnder(guarantee, name, brokers, from, to));
  return { scratch, name, from, to, file, changelog: `${name}-main-count-changelog`, stateDir: scratch.path('state') };
}

describe('a changelog on a broker', () => {
  it('with fewer partitions than the input is refused, with both counts', async () => {
    const { file, changelog, stateDir } = await counted();
    await kafka.createTopic(changelog, 1, { 'cleanup.policy': 'compact' });
    const daemon = new DaemonProcess([file], { stateDir });
    expect((await daemon.exited).code).toBe(2);
    expect(daemon.said[0]).toMatch(/changelog\/partitions: .*has 1 partitions, but its input ".*" has 2/);
  });

  it('whose policy is delete is refused, with the command that mends it', async () => {
    const { file, changelog, stateDir } = await counted();
    await kafka.createTopic(changelog, 2, { 'cleanup.policy': 'delete' });
    const daemon = new DaemonProcess([file], { stateDir });
    expect((await daemon.exited).code).toBe(2);
    expect(daemon.said.join('\n')).toMatch(/topic\/cleanup-policy: .*--add-config cleanup\.policy=compact/s);
  });

  it.each<[Guarantee]>([['at-least-once'], ['exactly-once']])(
    'that is deleted and made again under a running daemon ends the run, and no position is taken from the new one: %s',
    async (guarantee) => {
      const { name, from, file, changelog, stateDir } = await counted(guarantee);
      await kafka.produce(from, input.slice(0, 3_000));
      const daemon = await DaemonProcess.ready([file], { stateDir });
      await kafka.untilCommitted(name, from);
      await kafka.deleteTopic(changelog);
      await kafka.createTopic(changelog, 2, { 'cleanup.policy': 'compact' });
      await kafka.produce(from, input.slice(3_000));
      const { code } = await daemon.exited;
      expect(code).not.toBe(0);
      expect(daemon.said.join('\n')).toMatch(/changelog\/recreated|broker\/unknown-topic/);
    },
  );

  it.each<[Guarantee]>([['at-least-once'], ['exactly-once']])('moves state to a new disk: %s', async (guarantee) => {
    const { name, from, to, file, scratch, stateDir } = await counted(guarantee);
    await kafka.produce(from, input.slice(0, 3_000));
    const first = await DaemonProcess.ready([file], { stateDir });
    await kafka.untilCommitted(name, from);
    expect((await first.stop()).code).toBe(0);
    await kafka.produce(from, input.slice(3_000));
    const elsewhere = scratch.path('elsewhere');
    const second = await DaemonProcess.ready([file], { stateDir: elsewhere });
    await kafka.untilCommitted(name, from);
    expect((await second.stop()).code).toBe(0);
    expect(await committedCounts(kafka, to, KEYS)).toEqual({ last: input.expected, records: input.records, gaps: 0 });
    expect(readdirSync(elsewhere)).toContain(name);
  });

  it('that may have lost tombstones since the local copy was written: the copy is built anew (S4)', async () => {
    const { name, from, to, file, changelog, stateDir, scratch } = await counted();
    await kafka.createTopic(changelog, 2, { 'cleanup.policy': 'compact', 'delete.retention.ms': '200' });
    await kafka.produce(from, input.slice(0, 2_000));
    const first = await DaemonProcess.ready([file], { stateDir });
    await kafka.untilCommitted(name, from);
    expect((await first.stop()).code).toBe(0);
    // Another machine goes on, so that the copy here is no longer at the end.
    await kafka.produce(from, input.slice(2_000, 4_000));
    const other = await DaemonProcess.ready([file], { stateDir: scratch.path('other') });
    await kafka.untilCommitted(name, from);
    expect((await other.stop()).code).toBe(0);
    await kafka.produce(from, input.slice(4_000));
    const back = await DaemonProcess.ready([file], { stateDir });
    await kafka.untilCommitted(name, from);
    expect((await back.stop()).code).toBe(0);
    expect(back.log.filter(({ msg }) => msg.includes('built anew')).map(({ reason }) => reason)).toEqual(['too-old', 'too-old']);
    expect(await committedCounts(kafka, to, KEYS)).toEqual({ last: input.expected, records: input.records, gaps: 0 });
  });
});
