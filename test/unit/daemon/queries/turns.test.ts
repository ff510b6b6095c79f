import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { Turns } from '../../../../src/daemon/queries/turns.js';

/** A clock that only work moves, as on a main thread that is never without any. */
class Thread {
  time = 0;
  unused = 0;
  busy = true;
  readonly now = (): number => this.time;
  readonly idle = (): number => this.unused;

  turns(share: number): Turns {
    return new Turns({ busy: () => this.busy, share, now: this.now, idle: this.idle });
  }

  async work(ms: number): Promise<void> {
    this.time += ms;
    await nextTurn();
  }

  /** Processing, between any two looks at the queries. */
  async process(rounds: number, ms: number, done: () => boolean = () => false): Promise<void> {
    for (let round = 0; round < rounds && !done(); round++) {
      await this.work(ms);
    }
  }
}

/** Queries of 1 ms; tells how many were answered. */
function ask(turns: Turns, thread: Thread, queries: number): { answered: number[] } {
  const answered: number[] = [];
  for (let query = 0; query < queries; query++) {
    turns.run(() => {
      thread.time += 1;
      answered.push(query);
    });
  }
  return { answered };
}

describe('turns of queries', () => {
  test('come in order, all of them at once while no record waits', async () => {
    const thread = new Thread();
    thread.busy = false;
    const { answered } = ask(thread.turns(0.1), thread, 20);
    await thread.process(50, 0, () => answered.length === 20);
    expect(answered.length).toBe(20);
    expect(answered).toEqual([...answered].sort((a, b) => a - b));
    expect(thread.time).toBe(20);
  });

  test('take their share while records wait, and no more', async () => {
    const thread = new Thread();
    const { answered } = ask(thread.turns(0.25), thread, 10_000);
    await thread.process(Number.POSITIVE_INFINITY, 3, () => thread.time > 2000);
    expect(answered.length / thread.time).toBeGreaterThan(0.2);
    expect(answered.length / thread.time).toBeLessThan(0.27);
  });

  test('get what nobody uses besides', async () => {
    const thread = new Thread();
    const { answered } = ask(thread.turns(0.1), thread, 10_000);
    while (thread.time < 1000) {
      thread.unused += 2;
      await thread.work(2);
    }
    expect(answered.length / thread.time).toBeGreaterThan(0.35);
  });

  test('get all of it while the records wait for something else', async () => {
    const thread = new Thread();
    const { answered } = ask(thread.turns(0.1), thread, 10_000);
    await thread.process(Number.POSITIVE_INFINITY, 0.05, () => thread.time > 500);
    expect(answered.length / thread.time).toBeGreaterThan(0.9);
    await thread.process(Number.POSITIVE_INFINITY, 3, () => thread.time > 1500);
    expect((answered.length - 500) / 1000).toBeLessThan(0.15);
  });

  test('cost what follows from them in promises too', async () => {
    const thread = new Thread();
    const turns = thread.turns(0.25);
    let portions = 0;
    const reading = (async () => {
      while (thread.time < 2000) {
        await turns.turn();
        await undefined;
        thread.time += 1;
        portions++;
      }
    })();
    await thread.process(Number.POSITIVE_INFINITY, 3, () => thread.time > 2000);
    thread.busy = false;
    await thread.process(50, 1);
    await reading;
    expect(portions / thread.time).toBeLessThan(0.27);
    expect(portions / thread.time).toBeGreaterThan(0.15);
  });

  test('go on after a pause in which nothing was asked', async () => {
    const thread = new Thread();
    const turns = thread.turns(0.25);
    thread.busy = false;
    const first = ask(turns, thread, 3);
    await thread.process(50, 0);
    expect(first.answered.length).toBe(3);
    const second = ask(turns, thread, 3);
    await thread.process(50, 0);
    expect(second.answered.length).toBe(3);
  });
});
