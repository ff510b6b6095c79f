import { describe, expect, test } from 'vitest';
import { Progress } from '../../../src/cli/progress.js';

function capture(isTTY: boolean, columns?: number) {
  const written: string[] = [];
  let now = 0;
  const at = (ms: number): void => {
    now = ms;
  };
  const progress = new Progress({ write: (text) => void written.push(text), isTTY, columns }, 'restoring counts', { now: () => now });
  return { written, progress, at };
}

describe('on a terminal', () => {
  test('one line is rewritten, and the last stays', () => {
    const { written, progress, at } = capture(true);
    at(1000);
    progress.update(500, 2000);
    at(2000);
    progress.update(1000, 2000);
    progress.end('done');
    expect(written).toEqual([
      '\r\u001b[2Krestoring counts: 25 %, 500 of 2,000, 500/s, 3 s left',
      '\r\u001b[2Krestoring counts: 50 %, 1,000 of 2,000, 500/s, 2 s left',
      '\r\u001b[2Krestoring counts: done\n',
    ]);
  });

  test('it is drawn at most ten times a second, and cut to the width', () => {
    const { written, progress, at } = capture(true, 20);
    for (let ms = 1; ms <= 1000; ms++) {
      at(ms);
      progress.update(ms);
    }
    expect(written.length).toBe(10);
    expect(written[0]).toBe('\r\u001b[2Krestoring counts: 1');
  });
});

describe('elsewhere', () => {
  test('plain lines come every five seconds, without control characters', () => {
    const { written, progress, at } = capture(false);
    for (let ms = 1000; ms <= 11_000; ms += 1000) {
      at(ms);
      progress.update(ms);
    }
    progress.end('done in 11 s');
    expect(written).toEqual([
      'restoring counts: 1,000, 1,000/s\n',
      'restoring counts: 6,000, 1,000/s\n',
      'restoring counts: 11,000, 1,000/s\n',
      'restoring counts: done in 11 s\n',
    ]);
  });
});
