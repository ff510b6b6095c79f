import { isPromise, type MaybePromise } from '../../core/maybe.js';
import type { Counter, Histogram, Metrics } from '../../core/metrics.js';
import type { HttpAnswer } from '../../telemetry/http-route.js';
import { QueryError } from './query-error.js';

export interface QueriedStore {
  readonly store: string;
  readonly kind: 'get' | 'range' | 'peer';
}

/** What was looked up once: names of stores are bounded, since only those that exist get here. */
const counters = new WeakMap<Metrics, Map<string, Counter>>();
const durations = new WeakMap<Metrics, Map<string, Histogram>>();

/** Answers a query, and counts it with how long it took and what came of it. */
export function recorded(metrics: Metrics, queried: QueriedStore, query: () => MaybePromise<HttpAnswer>): MaybePromise<HttpAnswer> {
  const started = performance.now();
  const count = (outcome: string): void => {
    counterOf(metrics, queried, outcome).add();
    durationOf(metrics, queried.kind).observe((performance.now() - started) / 1000);
  };
  const answered = (told: HttpAnswer): HttpAnswer => {
    count(told.status === 404 ? 'absent' : 'answered');
    return told;
  };
  const failed = (error: unknown): never => {
    count(outcomeOf(error));
    throw error;
  };
  let told: MaybePromise<HttpAnswer>;
  try {
    told = query();
  } catch (error) {
    return failed(error);
  }
  return isPromise(told) ? told.then(answered, failed) : answered(told);
}

function outcomeOf(error: unknown): string {
  if (!(error instanceof QueryError)) return 'failed';
  if (error.status === 503) return 'unavailable';
  return error.status < 500 ? 'refused' : 'failed';
}

function counterOf(metrics: Metrics, { store, kind }: QueriedStore, outcome: string): Counter {
  return known(counters, metrics, `${kind} ${outcome} ${store}`, () => metrics.counter('queries_total', { store, kind, outcome }));
}

function durationOf(metrics: Metrics, kind: string): Histogram {
  return known(durations, metrics, kind, () => metrics.histogram('query_duration_seconds', { kind }));
}

function known<T>(all: WeakMap<Metrics, Map<string, T>>, metrics: Metrics, name: string, find: () => T): T {
  let found = all.get(metrics);
  if (found === undefined) {
    found = new Map();
    all.set(metrics, found);
  }
  let one = found.get(name);
  if (one === undefined) {
    one = find();
    found.set(name, one);
  }
  return one;
}
