import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TaskMigratedError } from '../../../src/core/errors.js';
import type { PartitionReader } from '../../../src/core/transport.js';
import { InstanceClaim } from '../../../src/runtime/instance-claim.js';
import { MembershipLost } from '../../../src/runtime/membership-lost.js';
import { copy, over, WorkerBench } from './worker-bench.js';

const fenced = (): TaskMigratedError => new TaskMigratedError('broker/instance-fenced', 'fenced', { fix: 'Give each process its own --instance-id.' });
const inUse = (): TaskMigratedError => new TaskMigratedError('broker/instance-in-use', 'in use');

let bench: WorkerBench;

beforeEach(() => {
  bench = WorkerBench.withTopics('in', 'out');
});

afterEach(() => bench.close());

/** A reader whose reads from the next on fail, until a new one takes its place. */
function failing(readers: number, error: () => Error): { reader(reader: PartitionReader): PartitionReader; now(): void } {
  let left = readers;
  let broken = false;
  return {
    reader: (reader) => {
      let mine = false;
      return over(reader, {
        read: (max) => {
          if (broken && left > 0) {
            left--;
            broken = false;
            mine = true;
          }
          return mine ? Promise.reject(error()) : reader.read(max);
        },
      });
    },
    now: () => {
      broken = true;
    },
  };
}

describe('a static member that is fenced', () => {
  test('while it reads: it joins anew, and goes on from the last commit', async () => {
    const broken = failing(1, fenced);
    const { ended, stop } = bench.start(copy(), { instanceId: 'one' }, { reader: broken.reader });
    bench.append('in', [1, 2]);
    await bench.until(() => bench.committed() === 2);
    broken.now();
    await bench.until(() => bench.warnings.some(({ message }) => message.includes('joins anew')));
    bench.append('in', [3]);
    await bench.until(() => bench.committed() === 3);
    expect(bench.values('out')).toEqual([1, 2, 3]);
    await stop();
    expect(await ended).toBe(undefined);
  });

  test('while it commits: the same, and what was not committed is done again', async () => {
    bench.append('in', [1]);
    bench.broker.failNextCommit(fenced());
    bench.start(copy(), { instanceId: 'one' });
    await bench.until(() => bench.committed() === 1);
    expect(bench.warnings.map(({ fields }) => fields.code)).toContain('broker/instance-fenced');
    expect(bench.values('out')).toEqual([1, 1]);
  });

  test('again and again: it ends with the reason and the fix', async () => {
    bench.append('in', [1]);
    const refused = fenced();
    const { ended } = bench.start(
      copy(),
      { instanceId: 'one' },
      {
        member: (member) => over(member, { commit: () => Promise.reject(refused) }),
      },
    );
    expect(await ended).toBe(refused);
    expect(bench.committed()).toBe(undefined);
    expect(bench.warnings.filter(({ message }) => message.includes('joins anew')).map(({ fields }) => fields.waitMs)).toEqual([1000, 2000, 4000]);
  }, 60_000);
});

describe('how often an instance id is claimed', () => {
  const waits = (claim: InstanceClaim, errors: readonly [TaskMigratedError, number][]): (number | 'gives up')[] =>
    errors.map(([error, now]) => {
      try {
        return claim.waitAfter(new MembershipLost(error), now);
      } catch (thrown) {
        expect(thrown).toBe(error);
        return 'gives up';
      }
    });

  test('three times in a row when somebody else has joined', () => {
    expect(
      waits(
        new InstanceClaim(),
        [0, 5000, 10_000, 15_000].map((now) => [fenced(), now]),
      ),
    ).toEqual([1000, 2000, 4000, 'gives up']);
  });

  test('for longer than a session when it is still in use', () => {
    const asked = waits(
      new InstanceClaim(),
      Array.from({ length: 8 }, (_, i) => [inUse(), 20_000 * i]),
    );
    expect(asked.pop()).toBe('gives up');
    expect((asked as number[]).reduce((sum, wait) => sum + wait)).toBeGreaterThan(45_000 + 10_000);
  });

  test('anew when the last time is long ago', () => {
    const times = [0, 1000, 2000, 200_000, 201_000];
    expect(
      waits(
        new InstanceClaim(),
        times.map((now) => [fenced(), now]),
      ),
    ).toEqual([1000, 2000, 4000, 1000, 2000]);
  });

  test('without end for a producer that is fenced', () => {
    const lost = new TaskMigratedError('broker/producer-fenced', 'fenced');
    expect(
      waits(
        new InstanceClaim(),
        Array.from({ length: 9 }, (_, i) => [lost, 1000 * i]),
      ),
    ).toEqual(Array(9).fill(1000));
  });
});
