import { defineProcessor } from 'kstreamd';
import { z } from 'zod';

const OPEN = Symbol.for('value-counting');
globalThis[OPEN] ??= new Map();
/** Open stores by name, of all copies of this module: `kstreamd dev` loads it anew when the file changes. */
const open = globalThis[OPEN];

/**
 * A store engine for many keys with few distinct values: it keeps each value once, and counts the keys that have it. Its
 * stores live in memory; when a task starts, they come from the changelog through `restoreBatch`.
 */
export const valueCounting = {
  persistent: false,
  open: ({ store }) => {
    const counted = new CountedValues(() => open.get(store)?.delete(counted));
    if (!open.has(store)) open.set(store, new Set());
    open.get(store).add(counted);
    return counted;
  },
};

/** How many keys have each value, as of the last flush, over the tasks of this process; values as text. */
export function countsOf(store) {
  const counts = {};
  for (const { values } of open.get(store) ?? []) {
    for (const { bytes, keys } of values.values()) counts[bytes.toString()] = (counts[bytes.toString()] ?? 0) + keys;
  }
  return counts;
}

/** The entries of one store of one task. Keys and values are looked up by their bytes as text, one character a byte. */
class CountedValues {
  /** Key → the value it has, which other keys may have too. */
  entries = new Map();
  /** Each distinct value, and how many keys have it. */
  values = new Map();
  /** The keys in order; made by the first scan after keys came or went. */
  order = undefined;

  constructor(closed) {
    this.closed = closed;
  }

  get(key) {
    return this.entries.get(key.latin1Slice())?.bytes ?? null;
  }

  put(key, value) {
    const name = key.latin1Slice();
    const text = value.latin1Slice();
    const before = this.entries.get(name);
    if (before === undefined) this.order = undefined;
    // The bytes are the caller's: what is kept is a copy, made once.
    let now = this.values.get(text);
    if (now === undefined) {
      now = { bytes: Buffer.from(value), keys: 0 };
      this.values.set(text, now);
    }
    now.keys++;
    this.entries.set(name, now);
    this.release(before);
  }

  delete(key) {
    const name = key.latin1Slice();
    const before = this.entries.get(name);
    if (before === undefined) return;
    this.entries.delete(name);
    this.order = undefined;
    this.release(before);
  }

  /**
   * Every record of the changelog, in order. Only the last of a key counts: values that a key has long left are never made.
   */
  restoreBatch(records) {
    const last = new Map();
    for (const { key, value } of records) last.set(key.latin1Slice(), { key, value });
    for (const { key, value } of last.values()) value === null ? this.delete(key) : this.put(key, value);
  }

  /** A snapshot in the byte order of the keys. */
  scan({ gte, lte, lt, reverse = false, limit = Number.POSITIVE_INFINITY }) {
    this.order ??= [...this.entries.keys()].sort();
    const [from, to, before] = [gte?.latin1Slice(), lte?.latin1Slice(), lt?.latin1Slice()];
    const inside = (key) => (from === undefined || key >= from) && (to === undefined || key <= to) && (before === undefined || key < before);
    const keys = this.order.filter(inside);
    if (reverse) keys.reverse();
    let found = keys.slice(0, limit).map((key) => [Buffer.from(key, 'latin1'), this.entries.get(key).bytes]);
    return {
      next: () => {
        const entries = found;
        found = [];
        return entries;
      },
      close: () => {
        found = [];
      },
    };
  }

  clear() {
    this.entries.clear();
    this.values.clear();
    this.order = undefined;
  }

  close() {
    this.closed();
  }

  release(value) {
    if (value !== undefined && --value.keys === 0) this.values.delete(value.bytes.latin1Slice());
  }
}

const TELL_EVERY_MS = 10_000;

/** Forwards each change of a customer's plan, and tells now and then how many customers have which. */
export const PlanChanges = defineProcessor({
  summary: 'Forwards changes of plan as { from, to }; null is no plan.',
  options: z.strictObject({}),
  stores: { plans: { value: 'string' } },
  atMostOne: true,
  create: () => new PlanChangesProcessor(),
});

class PlanChangesProcessor {
  init(context) {
    this.context = context;
    this.plans = context.store('plans');
    context.schedule(TELL_EVERY_MS, 'wall-clock', () => context.logger.info({ customers: countsOf('plans') }, 'customers by plan'));
  }

  process(record) {
    const from = this.plans.get(record.key);
    const to = record.value?.plan ?? null;
    if (from === to) return;
    this.plans.put(record.key, to);
    this.context.forward(record.withValue({ from, to }));
  }
}
