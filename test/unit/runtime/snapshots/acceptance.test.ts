import { describe, expect, it } from 'vitest';
import type { StoredPosition } from '../../../../src/core/store.js';
import type { CommittedOffset } from '../../../../src/core/transport.js';
import { type ChangelogNow, objectionTo, remainingAfter } from '../../../../src/runtime/snapshots/acceptance.js';

const NOW = 1_000_000;
const changelog: ChangelogNow = { topic: 'c', partition: 0, low: 100, end: 900, topicId: 'id', asked: NOW, deleteRetentionMs: 10_000 };
const position: StoredPosition = { topic: 'c', partition: 0, offset: 500, time: NOW - 1_000, topicId: 'id' };
const input: StoredPosition = { topic: 'in', partition: 0, offset: 40, time: 7 };
const committed = (offset: number): ReadonlyMap<string, CommittedOffset> => new Map([['in-0', { topic: 'in', partition: 0, offset, metadata: '' }]]);

describe('a copy of a task’s state', () => {
  it('is taken when its changelog goes on from it, and the group has committed all that is in it', () => {
    expect(objectionTo([position, input], [changelog], committed(40))).toBeUndefined();
    expect(objectionTo([{ ...position, offset: 900, time: 0 }, input], [changelog], committed(41))).toBeUndefined();
  });

  it.each<[string, readonly StoredPosition[], Partial<ChangelogNow>, number, RegExp]>([
    ['beyond the end', [{ ...position, offset: 901 }], {}, 40, /ends before the stored position/],
    ['before the start', [{ ...position, offset: 99 }], {}, 40, /no longer holds the records/],
    ['of an earlier topic of the name', [{ ...position, topicId: 'old' }], {}, 40, /made again/],
    ['of a topic without an id', [{ ...position, topicId: undefined }], {}, 40, /nothing tells whether c-0/],
    ['where the cluster tells no ids', [position], { topicId: undefined }, 40, /nothing tells whether c-0/],
    ['so old that deletions may be missing', [{ ...position, time: NOW - 5_001 }], {}, 40, /so old/],
    ['that does not say where it is', [input], {}, 40, /does not say up to where it has c-0/],
    ['of another partition', [{ ...position, partition: 1 }], {}, 40, /does not say up to where it has c-0/],
    ['that leads what is committed', [position, input], {}, 39, /holds in-0 up to 40, but the group has committed 39/],
    ['of an input that is not this task’s', [position, { ...input, partition: 5 }], {}, 40, /holds in-5 up to 40, but the group has committed nothing/],
  ])('%s is not', (_, positions, now, offset, objection) => {
    expect(objectionTo(positions, [{ ...changelog, ...now }], committed(offset))).toMatch(objection);
  });

  it('is judged by each of its changelogs', () => {
    const other = { ...changelog, topic: 'd' };
    expect(objectionTo([position], [changelog, other], committed(1))).toMatch(/d-0/);
    expect(objectionTo([position, { ...position, topic: 'd' }], [changelog, other], committed(1))).toBeUndefined();
  });

  it('that is a table is judged by what is committed of its topic too', () => {
    expect(objectionTo([{ ...position, topic: 'in', offset: 500 }], [{ ...changelog, topic: 'in' }], committed(499))).toMatch(/committed 499/);
  });

  it('saves the records before its positions; one that cannot be used saves none', () => {
    expect(remainingAfter([position], [changelog])).toBe(400);
    expect(remainingAfter([], [changelog])).toBe(800);
    expect(remainingAfter([{ ...position, offset: 901 }], [changelog])).toBe(800);
  });
});
