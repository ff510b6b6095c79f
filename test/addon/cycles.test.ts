import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { StockConsumer } from '../../src/kafka/stock.js';
import { type Attached, addon, flush, openConsumer, openProducer, startMock } from './clients.js';
import { pack, send, unpack } from './packed.js';

const CYCLES = 200;
const SETTLED_AFTER = 60;
const GROWTH_MB = 40;

let mock: Awaited<ReturnType<typeof startMock>>;
beforeAll(async () => {
  mock = await startMock();
  await mock.makeTopic('topic');
});
afterAll(() => mock.close());

interface RebalanceEvent {
  readonly code: number;
  readonly partitions: readonly { topic: string; partition: number }[];
}

function answered(client: StockConsumer, { code, partitions }: RebalanceEvent): boolean {
  for (const answer of [() => (code === -175 ? client.incrementalAssign(partitions) : client.incrementalUnassign(partitions)), () => client.unassign()]) {
    try {
      answer();
      return true;
    } catch {
      // A member that leaves before it was given anything, or closes while it is, has to answer in the plain way.
    }
  }
  return false;
}

/** A member of the group that answers its rebalances, between the reads of `pump`. */
async function join(group: string): Promise<Attached<StockConsumer> & { answer(): void; rebalances(): number }> {
  const events: RebalanceEvent[] = [];
  let rebalances = 0;
  const member = await openConsumer(mock.brokers, {
    'group.id': group,
    'group.protocol': 'consumer',
    rebalance_cb: ({ code }: { code: number }, partitions: []) => events.push({ code, partitions }),
  });
  member.client.subscribe(['topic']);
  const answer = (): void => {
    for (const event of events.splice(0)) {
      // While it is about to close it takes no answer; the next call gives it.
      if (answered(member.client, event)) rebalances++;
      else events.push(event);
    }
  };
  return { ...member, answer, rebalances: () => rebalances };
}

/**
 * Connect, attach, read, produce, a second member that joins, detach with a read in flight, disconnect: a cycle that
 * hangs fails by the test's time, and the growth of memory is that of the later cycles.
 */
it(
  `${CYCLES} cycles end, and leave no memory behind`,
  async () => {
    const memory: number[] = [];
    let records = 0;
    let rebalances = 0;
    const started = performance.now();
    for (let cycle = 0; cycle < CYCLES; cycle++) {
      const producer = await openProducer(mock.brokers);
      const members = [await join(`group-${cycle % 10}`)];
      if (cycle % 4 === 0) members.push(await join(`group-${cycle % 10}`));
      const output = Array.from({ length: 50 }, (_, i) => ({ partition: i % 4, value: Buffer.alloc(100, i), key: Buffer.from(`${i}`) }));
      expect(await send(addon, producer.handle, pack(output))).toBeUndefined();
      await flush(producer.client);
      const until = performance.now() + (cycle % 4 === 0 ? 400 : 60);
      const pump = async (member: (typeof members)[number]): Promise<void> => {
        while (performance.now() < until) {
          const read = await addon.read(member.handle, 1_000, 20);
          if (read !== undefined) records += unpack(read).records.length;
          member.answer();
        }
      };
      await Promise.all(members.map(pump));
      const inFlight = members.map(({ handle }) => addon.read(handle, 1_000, 60_000));
      await delay(cycle % 3);
      for (const member of members) {
        // Disconnecting waits for the answers to the rebalances it brings.
        const answering = setInterval(() => member.answer(), 5);
        await member.close();
        clearInterval(answering);
        rebalances += member.rebalances();
      }
      await Promise.all(inFlight);
      await producer.close();
      memory.push(process.memoryUsage.rss() / 1e6);
    }
    const [settled, last] = [average(memory.slice(SETTLED_AFTER, SETTLED_AFTER + 20)), average(memory.slice(-20))];
    console.log(
      `${CYCLES} cycles in ${Math.round((performance.now() - started) / 1000)} s: ${records} records, ${rebalances} rebalances; ` +
        `RSS ${memory[0]!.toFixed(0)} MB after the first, ${settled.toFixed(1)} MB after ${SETTLED_AFTER}, ${last.toFixed(1)} MB at the end`,
    );
    expect(rebalances).toBeGreaterThan(CYCLES / 4);
    expect(records).toBeGreaterThan(0);
    // The sanitizer keeps what is freed for a while.
    if (process.env.KSTREAMD_TEST_PRELOAD === undefined) expect(last - settled).toBeLessThan(GROWTH_MB);
  },
  10 * 60_000,
);

const average = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
