import { describe, expect, it } from 'vitest';
import { RetriableError, TaskMigratedError } from '../../../src/core/errors.js';
import { Commits } from '../../../src/kafka/commits.js';
import type { StockPartition } from '../../../src/kafka/stock.js';

const at = (offset: number) => [{ topic: 't', partition: 0, offset, metadata: 'm' }];
const acknowledgement = (offset: number): StockPartition[] => [{ topic: 't', partition: 0, offset }];

function recorded(timeoutMs?: number): { commits: Commits; started: number[] } {
  const started: number[] = [];
  const commits = new Commits((offsets) => started.push(offsets[0]?.offset ?? -1), timeoutMs);
  return { commits, started };
}

describe('commits of a member', () => {
  it('go out one by one, each resolved by its own acknowledgement', async () => {
    const { commits, started } = recorded();
    const done: number[] = [];
    const all = [1, 2].map((offset) => commits.commit(at(offset)).then(() => done.push(offset)));
    expect(started).toEqual([1]);
    commits.acknowledged(null, acknowledgement(1));
    await all[0];
    expect([started, done]).toEqual([[1, 2], [1]]);
    commits.acknowledged(null, acknowledgement(2));
    await all[1];
    expect(done).toEqual([1, 2]);
  });

  it('ignore an acknowledgement that comes after its commit was given up', async () => {
    const { commits, started } = recorded(5);
    await expect(commits.commit(at(1))).rejects.toBeInstanceOf(RetriableError);
    let done = false;
    const second = commits.commit(at(2)).then(() => {
      done = true;
    });
    commits.acknowledged(null, acknowledgement(1));
    await Promise.resolve();
    expect([started, done]).toEqual([[1, 2], false]);
    commits.acknowledged(null, acknowledgement(2));
    await second;
  });

  it('may be repeated during a rebalance, but not by a member that was removed', async () => {
    const { commits } = recorded();
    const rebalancing = commits.commit(at(1));
    commits.acknowledged({ code: 27, message: '' }, acknowledgement(1));
    await expect(rebalancing).rejects.toBeInstanceOf(RetriableError);
    const removed = commits.commit(at(1));
    commits.acknowledged({ code: 25, message: '' }, acknowledgement(1));
    await expect(removed).rejects.toBeInstanceOf(TaskMigratedError);
  });

  it('that the client refuses to start are rejected, and the next one goes out', async () => {
    const started: number[] = [];
    const commits = new Commits((offsets) => {
      started.push(offsets[0]?.offset ?? -1);
      if (started.length === 1) throw Object.assign(new Error('Local: Erroneous state'), { code: -172 });
    });
    const first = commits.commit(at(1));
    void commits.commit(at(2));
    await expect(first).rejects.toBeInstanceOf(RetriableError);
    expect(started).toEqual([1, 2]);
    commits.acknowledged(null, acknowledgement(2));
  });

  it('are all rejected when the member has left', async () => {
    const { commits } = recorded();
    const open = [1, 2].map((offset) => commits.commit(at(offset)));
    commits.end();
    for (const commit of [...open, commits.commit(at(3))]) await expect(commit).rejects.toThrow();
  });
});
