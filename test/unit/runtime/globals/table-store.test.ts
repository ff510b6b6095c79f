import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../../../../src/core/logger.js';
import type { StoredPosition } from '../../../../src/core/store.js';
import { CacheBudget } from '../../../../src/runtime/cache-budget.js';
import { BatchGate } from '../../../../src/runtime/globals/batch-gate.js';
import { TableStore } from '../../../../src/runtime/globals/table-store.js';
import { TaskState } from '../../../../src/runtime/task-state.js';
import { serdeFor } from '../../../../src/serdes/formats.js';
import { memoryEngine } from '../../../../src/stores/memory.js';

let gate: BatchGate;
let store: TableStore;

beforeEach(async () => {
  gate = new BatchGate(() => {});
  store = await TableStore.open({
    definition: { name: 't', topic: 'topic', engine: 'memory', key: 'string', value: 'string' },
    application: 'app',
    directory: '',
    openState: (asked) => TaskState.open({ ...asked, engines: new Map([['memory', memoryEngine()]]), serdeFor, cache: new CacheBudget(1000) }),
    gate,
    needs: undefined,
    patiently: (question) => question(),
    logger: silentLogger,
  });
});

afterEach(() => store.close());

const at = (offset: number): StoredPosition[] => [{ topic: 'topic', partition: 0, offset, time: 1, topicId: 'id' }];
const write = (...rows: string[]) => [{ store: 't', writes: rows.map((name) => ({ name, value: Buffer.from(name) })) }];
const seen = (key: string): string | undefined => store.bytes.buffer.readCommitted(key)?.toString();

describe('S6: a table as its copies write it', () => {
  test('from `show` on, what is written at once becomes visible at once, however many parts it has', async () => {
    await store.apply(write('a'), at(1));
    expect(store.visible).toEqual([]);
    store.show();
    expect([seen('a'), store.visible]).toEqual(['a', [{ topic: 'topic', partition: 0, offset: 1 }]]);
    await store.apply(write('b'), []);
    await store.apply(write('c'), []);
    expect([seen('b'), seen('c'), store.visible[0]?.offset]).toEqual([undefined, undefined, 1]);
    await store.apply(write('d'), at(4));
    expect([seen('b'), seen('c'), seen('d'), store.visible[0]?.offset]).toEqual(['b', 'c', 'd', 4]);
    expect(store.positions()).toEqual(at(4));
  });

  test('nothing becomes visible while a batch runs, and all of it when it ends', async () => {
    store.show();
    gate.enter();
    const writing = store.apply(write('a'), at(1));
    await new Promise((resolve) => setImmediate(resolve));
    expect([seen('a'), store.visible]).toEqual([undefined, []]);
    gate.leave();
    expect([seen('a'), store.visible[0]?.offset]).toEqual(['a', 1]);
    await writing;
    expect(seen('a')).toBe('a');
  });

  test('a position that nothing is known of any more is no offset for readers', async () => {
    await store.apply(write('a'), at(1));
    store.show();
    await store.apply([], at(-1));
    expect(store.visible).toEqual([]);
    expect(store.positions()).toEqual(at(-1));
  });

  test('hidden and emptied, nothing of it is left in memory either', async () => {
    store.show();
    await store.apply(write('a'), at(1));
    expect(seen('a')).toBe('a');
    store.hide();
    await store.clear();
    expect([seen('a'), store.visible, store.positions()]).toEqual([undefined, [], []]);
    await store.apply(write('b'), at(1));
    expect(store.visible).toEqual([]);
    store.show();
    expect([seen('a'), seen('b'), store.visible[0]?.offset]).toEqual([undefined, 'b', 1]);
  });
});

describe('the gate of batches', () => {
  test('opens when nobody holds it closed any more, and says so', async () => {
    const opened: string[] = [];
    const both = new BatchGate(() => opened.push('open'));
    both.close();
    both.close();
    both.open();
    expect([both.closed, opened]).toEqual([true, []]);
    both.open();
    expect([both.closed, opened]).toEqual([false, ['open']]);
    both.enter();
    let quiet = false;
    const waiting = both.quiet().then(() => {
      quiet = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(quiet).toBe(false);
    both.leave();
    await waiting;
    await expect(
      both.between(() => {
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
  });
});
