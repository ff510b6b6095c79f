import { describe, expect, test } from 'vitest';
import type { Instance } from '../../../../src/runtime/standby/instances.js';
import { copiesOf, decide } from '../../../../src/runtime/standby/placement.js';

const instance = (id: string, changes: Partial<Instance> = {}): Instance => ({
  id,
  place: `place of ${id}`,
  address: undefined,
  tasks: new Set(),
  copies: new Set(),
  alive: true,
  ...changes,
});
const task = (name: string, copies = 1, inMemory = false) => ({ name, copies, inMemory });
const names = Array.from({ length: 300 }, (_, partition) => `counts/${partition}`);
const ids = (instances: readonly Instance[] | undefined) => instances?.map(({ id }) => id);
const owner = instance('owner', { tasks: new Set(names) });
const others = ['a', 'b', 'c', 'd', 'e'].map((id) => instance(id));

describe('S10: the places of copies', () => {
  test('are the same whoever looks, as many as asked for, and never where the task runs', () => {
    const all = [owner, ...others];
    for (const name of names) {
      const chosen = ids(copiesOf(task(name, 2), all));
      expect(chosen).toHaveLength(2);
      expect(chosen).not.toContain('owner');
      expect(ids(copiesOf(task(name, 2), [...all].reverse()))).toEqual(chosen);
    }
    expect(copiesOf(task('counts/0', 9), all)).toHaveLength(5);
  });

  test('are shared out over the instances', () => {
    const counts = new Map<string, number>();
    for (const name of names) for (const id of ids(copiesOf(task(name), [owner, ...others])) ?? []) counts.set(id, (counts.get(id) ?? 0) + 1);
    expect([...counts.keys()].sort()).toEqual(['a', 'b', 'c', 'd', 'e']);
    for (const count of counts.values()) expect(count).toBeGreaterThan(30); // of 60 each
  });

  test('move only from the one that goes', () => {
    const without = [owner, ...others].filter(({ id }) => id !== 'c');
    for (const name of names) {
      const before = ids(copiesOf(task(name), [owner, ...others]));
      if (before?.[0] !== 'c') expect(ids(copiesOf(task(name), without))).toEqual(before);
    }
  });

  test('are never two in one state directory, nor in that of whoever runs the task; in memory each process counts', () => {
    const shared = [
      instance('o', { place: 'x', tasks: new Set(names) }),
      instance('p', { place: 'x' }),
      instance('q', { place: 'y' }),
      instance('r', { place: 'y' }),
    ];
    const chosen = names.map((name) => ids(copiesOf(task(name, 3), shared)) as string[]);
    expect(new Set(chosen.map((one) => one.length))).toEqual(new Set([1]));
    expect(new Set(chosen.flat())).toEqual(new Set(['q', 'r']));
    expect(copiesOf(task('counts/0', 3, true), shared)).toHaveLength(3);
  });

  test('are not known while nobody runs the task, nor by one that fell silent', () => {
    expect(copiesOf(task('counts/0'), others)).toBeUndefined();
    expect(copiesOf(task('counts/0'), [instance('o', { tasks: new Set(names), alive: false }), ...others])).toBeUndefined();
  });
});

describe('what an instance does about a task', () => {
  const name = names.find((one) => ids(copiesOf(task(one), [owner, ...others]))?.[0] === 'a') as string;
  const self = (id: string) => others.find((one) => one.id === id) as Instance;

  test('follows where it is chosen, and not elsewhere', () => {
    expect(decide(task(name), self('a'), [owner, ...others])).toBe('follow');
    expect(decide(task(name), self('b'), [owner, ...others])).toBe('keep');
  });

  test('keeps its copy until the chosen one has its own, and lives', () => {
    const complete = (alive: boolean) => [owner, ...others.map((one) => (one.id === 'a' ? { ...one, copies: new Set([name]), alive } : one))];
    expect(decide(task(name), self('b'), complete(true))).toBe('leave');
    expect(decide(task(name), self('b'), complete(false))).toBe('keep');
  });

  test('keeps its copy while the task is on its way', () => {
    expect(decide(task(name), self('a'), others)).toBe('keep');
  });

  test('a brief absence of the chosen one moves nothing', () => {
    const absent = others.map((one) => (one.id === 'a' ? { ...one, alive: false } : one));
    for (const id of ['b', 'c', 'd', 'e']) expect(decide(task(name), self(id), [owner, ...absent])).toBe('keep');
  });

  test('lets go at once of what another process on the same state directory opens, not so in memory', () => {
    const beside = { ...owner, place: self('a').place };
    expect(decide(task(name), self('a'), [beside, ...others])).toBe('leave');
    expect(decide(task(name, 1, true), self('a'), [beside, ...others])).toBe('follow');
  });
});
