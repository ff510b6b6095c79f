import { expect } from 'vitest';
import type { KeyValueStore } from '../../src/core/store.js';
import { collect } from '../conformance/store-bench.js';
import { onEachEngine } from './engines.js';
import { type Skipped, skip, type Vector } from './vector.js';

export async function keyValue({ given, expect: expected }: Vector): Promise<Skipped | undefined> {
  if (given.old !== undefined) return skip('S7: a timestamped store keeps every value that is put; emit-on-change is off upstream too');
  const definition = { type: 'key-value', key: given.ops === undefined ? 'string' : 'int32', value: 'string' } as const;
  await onEachEngine(definition, async (bench, settle) => {
    const store = bench.store<KeyValueStore<any, string>>();
    for (const [op, key, value] of given.ops ?? []) {
      if (op === 'put') store.put(key, value);
      else expect(op === 'get' ? store.get(key) : store.delete(key)).toBe(value);
      await settle();
    }
    for (const [question, answer] of Object.entries(expected)) {
      const [, from, to] = /^range_(\d+)_(\d+)$/.exec(question) ?? [];
      if (from !== undefined) expect(await collect(store.range(Number(from), Number(to)))).toEqual(answer);
      else if (question === 'all') expect(await collect(store.all())).toEqual(answer);
    }
    for (const op of given.null_key_ops ?? []) expect(() => OPERATIONS[op]?.(store, null, 'x'), op).toThrow(TypeError);
    for (const op of given.null_value_ops ?? []) {
      store.put('k', null);
      OPERATIONS[op]?.(store, 'k', null);
      expect(store.get('k'), op).toBeNull();
    }
  });
  return undefined;
}

const OPERATIONS: Readonly<Record<string, (store: KeyValueStore<any, any>, key: string | null, value: string | null) => void>> = {
  put: (store, key, value) => store.put(key, value),
  putIfAbsent: (store, key, value) => void store.putIfAbsent(key, value),
  putAll: (store, key, value) => store.setBatch([[key, value]]),
  delete: (store, key) => void store.delete(key),
  get: (store, key) => void store.get(key),
};
