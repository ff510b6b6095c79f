import { setImmediate as nextTurn } from 'node:timers/promises';
import { bytesOfLatin1, latin1Of } from '../../core/latin1.js';
import type { TaskStorage } from '../../core/store.js';

const PORTION = 1000;

/** Removes a store's rows in [gte, lt), for an engine that cannot do so itself portion by portion; stops early when `enough`. */
export async function deleteExpired(
  storage: TaskStorage,
  store: string,
  range: { readonly gte: string; readonly lt: string },
  enough: () => boolean,
): Promise<void> {
  const gte = bytesOfLatin1(range.gte);
  const lt = bytesOfLatin1(range.lt);
  if (storage.deleteRange) return storage.deleteRange(store, gte, lt);
  while (!enough()) {
    const scan = storage.store(store).scan({ gte, lt, limit: PORTION });
    const writes: { name: string; value: null }[] = [];
    try {
      for (let entries = await scan.next(); entries.length > 0; entries = await scan.next())
        for (const [key] of entries) writes.push({ name: latin1Of(key), value: null });
    } finally {
      await scan.close();
    }
    if (writes.length === 0) return;
    await storage.apply([{ store, writes }], []);
    await nextTurn();
  }
}
