import { describe, expect, it, vi } from 'vitest';
import type { GroupListener, TopicPartition } from '../../../src/core/transport.js';
import { Assignment } from '../../../src/kafka/assignment.js';
import { Rebalance } from '../../../src/kafka/rebalance.js';
import type { StockConsumer, StockPartition } from '../../../src/kafka/stock.js';

const assign = { code: -175, message: '' };
const revoke = { code: -174, message: '' };
const lead = (partition: number): TopicPartition => ({ topic: 'lead', partition });
const extra = (partition: number): TopicPartition => ({ topic: 'extra', partition });

/** A client that writes down what it is answered. */
function setUp(listener: Partial<GroupListener> = {}, client: { lost?: boolean; protocol?: string; refuses?: string[] } = {}) {
  const answers: string[] = [];
  const note = (verb: string) => (partitions: readonly StockPartition[]) => {
    if (client.refuses?.[0] === verb) throw new Error(`refused: ${client.refuses.shift()}`);
    answers.push([verb, ...partitions.map(({ topic, partition, offset }) => `${topic}-${partition}${offset === undefined ? '' : `@${offset}`}`)].join(' '));
  };
  const consumer = {
    incrementalAssign: note('assign'),
    incrementalUnassign: note('unassign'),
    unassign: () => note('unassign all')([]),
    assignmentLost: () => client.lost ?? false,
    rebalanceProtocol: () => client.protocol ?? 'COOPERATIVE',
  } as unknown as StockConsumer;
  const assignment = new Assignment(consumer);
  const rebalance = new Rebalance(consumer, assignment);
  rebalance.listen({ onAssigned: async () => {}, onRevoked: async () => {}, onLost: async () => {}, ...listener });
  return { answers, assignment, rebalance };
}

/** Begins the next event and lets its listener finish. */
async function handle(rebalance: Rebalance): Promise<void> {
  rebalance.begin();
  await new Promise(setImmediate);
}

describe('a rebalance event', () => {
  it('is answered once, with everything that the listener assigned', async () => {
    const { answers, rebalance } = setUp({
      onAssigned: async ([first]) => {
        rebalance.joinAssign([{ ...lead(first?.partition ?? -1), offset: 3 }]);
        await Promise.resolve();
        rebalance.joinAssign([{ ...extra(first?.partition ?? -1), offset: 4 }]);
      },
    });
    rebalance.received(assign, [lead(1)]);
    await handle(rebalance);
    expect(answers).toEqual([]);
    rebalance.answer();
    rebalance.answer();
    expect(answers).toEqual(['assign lead-1@3 extra-1@4']);
    expect(rebalance.pending).toBe(false);
  });

  it('is answered with an empty list when nothing is to be assigned', async () => {
    const { answers, rebalance } = setUp();
    rebalance.received(assign, []);
    await handle(rebalance);
    rebalance.answer();
    expect(answers).toEqual(['assign']);
  });

  it('that revokes is answered with its partitions and what goes with them, of those assigned', async () => {
    const { answers, assignment, rebalance } = setUp({ onRevoked: async () => void rebalance.joinUnassign([extra(0), extra(7)]) });
    assignment.add([lead(0), lead(1), extra(0), extra(1)].map((tp) => ({ ...tp, offset: 0 })));
    rebalance.received(revoke, [lead(0), lead(9)]);
    await handle(rebalance);
    rebalance.answer();
    expect(answers.slice(1)).toEqual(['unassign lead-0 extra-0']);
    expect(assignment.all().map(({ topic, partition }) => `${topic}-${partition}`)).toEqual(['lead-1', 'extra-1']);
  });

  it('waits for the one before it, and for its own listener', async () => {
    let finish = () => {};
    const { answers, rebalance } = setUp({ onAssigned: () => new Promise((resolve) => (finish = resolve)) });
    rebalance.received(assign, []);
    rebalance.received(revoke, []);
    await handle(rebalance);
    await handle(rebalance);
    rebalance.answer();
    expect(answers).toEqual([]);
    finish();
    await new Promise(setImmediate);
    rebalance.answer();
    await handle(rebalance);
    rebalance.answer();
    expect(answers).toEqual(['assign', 'unassign']);
  });

  it('of lost partitions goes to onLost, never to onRevoked (C5)', async () => {
    const told: string[] = [];
    const { rebalance } = setUp({ onLost: async () => void told.push('lost'), onRevoked: async () => void told.push('revoked') }, { lost: true });
    rebalance.received(revoke, [lead(0)]);
    await handle(rebalance);
    expect(told).toEqual(['lost']);
  });

  it('hands out no record of partitions on their way', async () => {
    const { assignment, rebalance } = setUp({ onRevoked: () => new Promise(() => {}) });
    assignment.add([lead(0), lead(1)].map((tp) => ({ ...tp, offset: 0 })));
    rebalance.received(revoke, [lead(0)]);
    await handle(rebalance);
    expect(assignment.all().map(({ givenUp }) => givenUp)).toEqual([true, false]);
  });

  it('is answered when the listener throws too, and then the error comes out', async () => {
    const { answers, rebalance } = setUp({ onAssigned: () => Promise.reject(new Error('no room')) });
    rebalance.received(assign, [lead(0)]);
    await handle(rebalance);
    expect(() => rebalance.answer()).toThrow('no room');
    expect(answers).toEqual(['assign']);
  });

  it('that comes while everything is given up is answered without the listener', async () => {
    const told: string[] = [];
    const { answers, assignment, rebalance } = setUp({ onAssigned: async () => void told.push('assigned'), onRevoked: async () => void told.push('revoked') });
    assignment.add([{ ...lead(0), offset: 0 }]);
    await rebalance.giveUp([lead(0)]);
    for (const event of [revoke, assign]) {
      rebalance.received(event, [lead(0)]);
      await handle(rebalance);
      rebalance.answer();
    }
    expect(told).toEqual(['revoked']);
    expect(answers.slice(1)).toEqual(['unassign lead-0', 'assign']);
  });

  it('is answered at once while closing, open ones too', async () => {
    const { answers, assignment, rebalance } = setUp({ onAssigned: () => new Promise(() => {}) }, { protocol: 'NONE' });
    assignment.add([{ ...lead(0), offset: 0 }]);
    rebalance.received(assign, []);
    await handle(rebalance);
    rebalance.close();
    rebalance.received(revoke, [lead(0)]);
    expect(answers.slice(1)).toEqual(['assign', 'unassign all']);
    expect(rebalance.pending).toBe(false);
  });

  it('that assigns is declined with all there is by a client that closes and takes no assign any more', () => {
    const { answers, rebalance } = setUp({}, { refuses: ['assign'] });
    rebalance.close();
    rebalance.received(assign, [lead(0)]);
    expect(answers).toEqual(['unassign all']);
  });

  it('is answered again while the client takes no answer, until it has closed', async () => {
    const { answers, rebalance } = setUp({}, { refuses: ['assign', 'unassign all'] });
    rebalance.close();
    rebalance.received(assign, [lead(0)]);
    expect(answers).toEqual([]);
    await vi.waitFor(() => expect(answers).toEqual(['assign']), { timeout: 20_000 });

    const left = setUp({}, { refuses: ['assign', 'unassign all', 'assign', 'unassign all'] });
    left.rebalance.close();
    left.rebalance.received(assign, [lead(0)]);
    left.rebalance.end();
    rebalance.received(assign, [lead(1)]);
    await vi.waitFor(() => expect(answers).toHaveLength(2), { timeout: 20_000 });
    expect(left.answers).toEqual([]);
  });
});
