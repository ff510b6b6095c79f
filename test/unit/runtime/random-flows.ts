import fc from 'fast-check';
import { andThen } from '../../../src/core/maybe.js';
import type { Cancellable, Processor } from '../../../src/core/processor.js';
import type { StreamRecord } from '../../../src/core/record.js';
import type { DriverRecord } from '../../../src/testing/topology-driver.js';
import { type Context, counting, each, Flow, mapped, onError, sent, whole } from './harness.js';

/** What a random step does; each is the same record by record as for an array. */
const KINDS = [
  'map',
  'mapBatch',
  'filter',
  'filterBatch',
  'flatMap',
  'flatMapBatch',
  'count',
  'countBatch',
  'asyncCount',
  'punctuate',
  'reschedule',
  'fail',
  'hold',
] as const;
type Kind = (typeof KINDS)[number];

export interface StepSpec {
  readonly kind: Kind;
  /** Taken modulo the number of nodes before it, the source included. */
  readonly parents: readonly number[];
  /** Varies what the step does, and which store it uses. */
  readonly variant: number;
}

export interface FlowSpec {
  readonly steps: readonly StepSpec[];
  readonly sinks: readonly { readonly parents: readonly number[]; readonly topic: number }[];
}

const stepSpec: fc.Arbitrary<StepSpec> = fc.record({
  kind: fc.constantFrom(...KINDS),
  parents: fc.array(fc.nat(5), { minLength: 1, maxLength: 2 }),
  variant: fc.nat(3),
});

export const flowSpec: fc.Arbitrary<FlowSpec> = fc.record({
  steps: fc.array(stepSpec, { minLength: 1, maxLength: 5 }),
  sinks: fc.array(fc.record({ parents: fc.array(fc.nat(5), { minLength: 1, maxLength: 3 }), topic: fc.nat(1) }), { minLength: 1, maxLength: 3 }),
});

/** Few keys; timestamps that go forward, and now and then back. */
export const input: fc.Arbitrary<DriverRecord[]> = fc
  .array(fc.tuple(fc.nat(3), fc.nat(40), fc.integer({ min: -3000, max: 6000 })), { minLength: 1, maxLength: 70 })
  .map((steps) => {
    let time = 1000;
    return steps.map(([key, value, ahead]) => {
      time = Math.max(0, time + ahead);
      return sent(`k${key}`, value, time);
    });
  });

/** The stores of a flow are named s0 and s1. */
export function flowOf({ steps, sinks }: FlowSpec): Flow {
  const flow = new Flow().source('in');
  const names = ['in'];
  // What a step holds in memory survives a batch that is undone, which no plugin may count on.
  const undoes = steps.some(({ kind }) => kind === 'fail' || kind === 'reschedule');
  for (const [i, { kind, parents, variant }] of steps.entries()) {
    const name = `${kind}${i}`;
    const stores = ['count', 'countBatch', 'asyncCount', 'punctuate'].includes(kind) ? [`s${variant % 2}`] : [];
    flow.step(name, named(parents, names), makers[kind === 'hold' && undoes ? 'map' : kind](variant, stores[0] ?? ''), {
      stores,
      atMostOne: !['flatMap', 'flatMapBatch', 'reschedule', 'hold'].includes(kind),
      foreign: kind === 'hold',
      onError: onError('skip'),
    });
    names.push(name);
  }
  for (const [i, { parents, topic }] of sinks.entries()) flow.sink(`sink${i}`, named(parents, names), { to: { topic: `out${topic}` } });
  return flow;
}

function named(parents: readonly number[], names: readonly string[]): string[] {
  return [...new Set(parents.map((parent) => names[parent % names.length] as string))];
}

const makers: Record<Kind, (variant: number, store: string) => () => Processor> = {
  map: (variant) => mapped((value) => value + variant),
  mapBatch: (variant) => whole((records, context) => context.forwardBatch(records.map((record) => record.withValue(record.value * (variant + 1))))),
  filter: (variant) => each((record, context) => (keeps(record, variant) ? context.forward(record) : undefined)),
  filterBatch: (variant) => whole((records, context) => context.forwardBatch(records.filter((record) => keeps(record, variant)))),
  flatMap: (variant) =>
    each((record, context) => {
      for (const one of expand(record, variant)) context.forward(one);
    }),
  flatMapBatch: (variant) => whole((records, context) => context.forwardBatch(records.flatMap((record) => expand(record, variant)))),
  count: (_variant, store) => counting(store),
  countBatch: (_variant, store) => whole((records, context) => countAll(records, context, store)),
  asyncCount: (_variant, store) => {
    const make = counting(store);
    return () => {
      const inner = make();
      return { init: (context) => inner.init?.(context), process: (record) => Promise.resolve().then(() => inner.process?.(record)) };
    };
  },
  punctuate: (variant, store) => punctuating(variant, store),
  reschedule: (variant) => rescheduling(variant),
  fail: (variant) =>
    each((record, context) => {
      if (record.value % 5 === variant) throw new Error('not this one');
      context.forward(record);
    }),
  hold: () => {
    return () => {
      let held: StreamRecord | undefined;
      return whole((records, context) => {
        for (const record of records) {
          if (held) context.forward(held);
          held = record;
        }
      })();
    };
  },
};

function keeps(record: StreamRecord<any, any>, variant: number): boolean {
  return record.value % (variant + 2) !== 0;
}

function expand(record: StreamRecord<any, any>, variant: number): StreamRecord[] {
  return Array.from({ length: (record.value + variant) % 3 }, (_, i) => record.withValue(record.value + i));
}

function countAll(records: readonly StreamRecord<any, any>[], context: Context, name: string) {
  const store = context.store<string, number>(name);
  const keys = [...new Set(records.map(({ key }) => key as string))];
  return andThen(store.getBatch(keys), (before) => {
    const counts = new Map(keys.map((key, i) => [key, before[i] ?? 0]));
    const outputs = records.map((record) => {
      const count = (counts.get(record.key) ?? 0) + 1;
      counts.set(record.key, count);
      return record.withValue(count + (record.streamTime % 1000));
    });
    store.setBatch([...counts]);
    context.forwardBatch(outputs);
  });
}

/** Passes records, and now and then forwards and changes what the store holds. */
function punctuating(variant: number, name: string): () => Processor {
  return each(
    (record, context) => context.forward(record),
    (context) => {
      context.schedule(
        3000 + variant * 4000,
        'stream-time',
        (time) => {
          const store = context.store<string, number>(name);
          const count = store.get('k0') ?? 0;
          store.put('k0', count + 100);
          context.forward({ key: 'tick', value: count + (time % 7), timestamp: time });
        },
        { firstFire: variant % 2 === 0 ? 'aligned' : 'first-record' },
      );
    },
  );
}

/** Changes its schedule while it processes, and in the callback (R2). */
function rescheduling(variant: number): () => Processor {
  return () => {
    let handle: Cancellable | undefined;
    return each((record, context) => {
      context.forward(record);
      if (record.value % 4 !== variant) return;
      handle?.cancel();
      const tick = (time: number): void => {
        context.forward({ key: 'alarm', value: time % 11, timestamp: time });
        handle?.cancel();
        handle = context.schedule(7000, 'stream-time', tick);
      };
      handle = context.schedule(4000, 'stream-time', tick);
    })();
  };
}
