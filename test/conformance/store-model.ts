import fc from 'fast-check';
import { expect } from 'vitest';
import type { KeyValueStore } from '../../src/core/store.js';
import type { TaskState } from '../../src/runtime/task-state.js';

/** One thing done to a store or its task; a `write` of null deletes. */
type Command =
  | { readonly do: 'write'; readonly entries: readonly (readonly [string, string | null])[] }
  | { readonly do: 'read'; readonly keys: readonly string[] }
  | { readonly do: 'scan'; readonly from: string; readonly to: string; readonly reverse: boolean; readonly limit: number }
  | { readonly do: 'endBatch' | 'rollbackBatch' | 'abort' | 'commit' | 'flush' | 'flushInBackground' | 'reopen' };

interface Subject {
  readonly state: () => TaskState;
  readonly store: string;
  /** undefined where nothing outlives the process. */
  readonly reopen: (() => Promise<TaskState>) | undefined;
}

const key = fc.stringMatching(/^[abü]{1,2}$/);
const value = fc.option(fc.string({ maxLength: 80 }));

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('write' as const), entries: fc.array(fc.tuple(key, value), { minLength: 1, maxLength: 5 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('read' as const), keys: fc.array(key, { minLength: 1, maxLength: 40 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('scan' as const), from: key, to: key, reverse: fc.boolean(), limit: fc.integer({ min: 0, max: 6 }) }),
  },
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constantFrom('endBatch', 'rollbackBatch', 'abort', 'commit', 'flush', 'flushInBackground', 'reopen') }),
  },
);

/** The layers of a store as plain maps: the simplest thing that can be right. */
async function run(commands: readonly Command[], { state, store: name, reopen }: Subject): Promise<void> {
  let batch = new Map<string, string>();
  let uncommitted = new Map<string, string>();
  let committed = new Map<string, string>();
  let flushed = new Map<string, string>();
  let flushedAt = 0;
  let background: Promise<void> = Promise.resolve();
  let store: KeyValueStore<string, string> = state().store(name);

  for (const [step, command] of commands.entries()) {
    switch (command.do) {
      case 'write':
        if (command.entries.length > 1) store.setBatch(command.entries);
        else store.put(...(command.entries[0] as readonly [string, string | null]));
        for (const [key, value] of command.entries) value === null ? batch.delete(key) : batch.set(key, value);
        break;
      case 'read':
        expect(await store.getBatch(command.keys)).toEqual(command.keys.map((key) => batch.get(key) ?? null));
        break;
      case 'scan': {
        const { from, to, reverse, limit } = command;
        const found = await collect(store.range(from, to, { reverse, limit }));
        expect(found).toEqual(ranged(batch, from, to, reverse).slice(0, limit));
        break;
      }
      case 'endBatch':
        state().endBatch();
        uncommitted = new Map(batch);
        break;
      case 'rollbackBatch':
        state().rollbackBatch();
        batch = new Map(uncommitted);
        break;
      case 'abort':
        state().abort();
        uncommitted = new Map(committed);
        batch = new Map(committed);
        break;
      case 'commit':
        state().committed();
        committed = new Map(uncommitted);
        break;
      case 'flush':
      case 'flushInBackground':
        background = Promise.resolve(state().flush([{ topic: 'in', partition: 0, offset: step }]));
        flushed = new Map(committed);
        flushedAt = step;
        if (command.do === 'flush') await background;
        break;
      case 'reopen':
        if (!reopen) break;
        await background;
        store = (await reopen()).store(name);
        batch = new Map(flushed);
        uncommitted = new Map(flushed);
        committed = new Map(flushed);
        if (flushedAt > 0) expect(await state().positions()).toEqual([{ topic: 'in', partition: 0, offset: flushedAt }]);
        break;
    }
  }
  await background;
  expect(await collect(store.all())).toEqual(ranged(batch, '', '\u{10ffff}', false));
}

/** Byte order of UTF-8, which is the order of code points and so of these keys. */
function ranged(map: ReadonlyMap<string, string>, from: string, to: string, reverse: boolean): [string, string][] {
  const found = [...map].filter(([key]) => key >= from && key <= to).sort(([a], [b]) => (a < b ? -1 : 1));
  return reverse ? found.reverse() : found;
}

async function collect<T>(scan: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const entry of scan) found.push(entry);
  return found;
}

export const storeModel = {
  commands: fc.array(command, { maxLength: 60 }),
  /** None, a few entries, all. */
  cacheSizes: fc.constantFrom(0, 700, 1_000_000),
  run,
};
