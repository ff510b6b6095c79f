import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { DaemonProcess } from './daemon-process.js';
import { eventually } from './eventually.js';
import { KafkaData } from './kafka-data.js';
import { Scratch, unique } from './scratch.js';

const PARTITIONS = 6;
const brokers = inject('brokers');
let kafka: KafkaData;

beforeAll(async () => {
  kafka = await KafkaData.connect(brokers);
});

afterAll(() => kafka.close());

/** The partitions that log lines of this kind name, in order. */
function partitionsOf(daemon: DaemonProcess, event: 'assigned' | 'revoked' | 'lost'): number[] {
  return daemon.log.filter((line) => line.event === event).flatMap((line) => (line.partitions as string[]).map((name) => Number(name.split('-').at(-1))));
}

describe('two processes of a stateless pipeline', () => {
  it('join and leave while records flow: nothing is lost, and only the tasks that must move do', async () => {
    const scratch = new Scratch();
    const [name, from, to] = [unique('echo'), await kafka.createTopic(unique('in'), PARTITIONS), await kafka.createTopic(unique('out'), PARTITIONS)];
    const file = scratch.file('p.yaml', `name: ${name}\nkafka: ${brokers}\nfrom: { topic: ${from}, value: bytes }\nto: ${to}\n`);
    const start = (id: string) => DaemonProcess.ready([file], { stateDir: scratch.path(id) });
    const tasks = (...daemons: DaemonProcess[]) => Promise.all(daemons.map((daemon) => daemon.metric('tasks')));
    const settled = (daemons: DaemonProcess[], wanted: number[]) =>
      eventually(`tasks ${wanted}`, async () => (await tasks(...daemons)).join() === wanted.join());

    const flow = new Flow(from);
    const first = await start('first');
    await settled([first], [6]);
    expect(partitionsOf(first, 'assigned').sort()).toEqual([0, 1, 2, 3, 4, 5]);

    const second = await start('second');
    await settled([first, second], [3, 3]);
    // Cooperative: three tasks move, the other three are never taken away.
    const moved = partitionsOf(first, 'revoked').sort();
    expect(moved).toHaveLength(3);
    expect(partitionsOf(second, 'assigned').sort()).toEqual(moved);
    await flow.further(20_000);
    await second.until('records on the second', async () => ((await second.metric('records_in_total')) ?? 0) > 0);

    expect((await second.stop()).code).toBe(0);
    await settled([first], [6]);
    // The three come back; still none of the others has moved.
    expect(partitionsOf(first, 'revoked').sort()).toEqual(moved);
    expect(partitionsOf(first, 'assigned').sort()).toEqual([0, 1, 2, 3, 4, 5, ...moved].sort());

    const third = await start('third');
    await settled([first, third], [3, 3]);
    await flow.further(20_000);
    expect((await first.stop()).code).toBe(0);
    await settled([third], [6]);
    expect(partitionsOf(third, 'revoked')).toEqual([]);
    await flow.further(20_000);

    const sent = await flow.stop();
    await kafka.untilCommitted(name, from);
    expect((await third.stop()).code).toBe(0);
    for (const daemon of [first, second, third]) expect(partitionsOf(daemon, 'lost')).toEqual([]);
    const times = new Uint8Array(sent);
    await kafka.forEach(to, ({ value }) => times[Number(value)]!++);
    expect(times.indexOf(0)).toBe(-1);
    // Everybody left in good order, so nothing was done twice either.
    expect(await kafka.size(to)).toBe(sent);
  });
});

/** Numbered records, sent without a pause until it is stopped. */
class Flow {
  private sent = 0;
  private stopped = false;
  private readonly running: Promise<void>;

  constructor(private readonly topic: string) {
    this.running = this.run();
    this.running.catch(() => {}); // told by `stop`
    onTestFinished(() => this.stop().then(() => {}));
  }

  /** Waits until so many more have been sent. */
  async further(records: number): Promise<void> {
    const goal = this.sent + records;
    await eventually(`${goal} records sent`, () => this.sent >= goal);
  }

  /** How many there were. */
  async stop(): Promise<number> {
    this.stopped = true;
    await this.running;
    return this.sent;
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      await kafka.produce(
        this.topic,
        Array.from({ length: 500 }, (_, i) => ({ key: `k${this.sent + i}`, value: String(this.sent + i) })),
      );
      this.sent += 500;
    }
  }
}
