import { FatalError } from '../../core/errors.js';
import { isPromise, type MaybePromise } from '../../core/maybe.js';
import type { StateStore } from '../../core/store-types.js';
import type { OpenStore } from '../stores/store-kind.js';
import { SchemaNeeded } from './table-format.js';

/** How a table's own node writes it: no name of a method that a plugin may meet. */
export const FILL = Symbol('fill');

export interface TableStore {
  /** Bytes as they stand in the topic, the key one character a byte; null deletes. `timestamp` in epoch milliseconds. */
  [FILL](key: string, value: Buffer | null, timestamp: number): void;
}

const WRITES = ['put', 'putIfAbsent', 'delete', 'setBatch', 'deleteBatch'] as const;

/** A store whose views can be read only: its own node alone writes it, from its topic (S5). */
export function asTable(store: OpenStore): OpenStore {
  const view = store.view.bind(store);
  const fill = (key: string, value: Buffer | null, timestamp: number): void => store.fill?.(key, value, timestamp);
  return Object.assign(store, { view: (viewer: Parameters<OpenStore['view']>[0]) => Object.assign(tableView(view(viewer), viewer.step), { [FILL]: fill }) });
}

/** What a step sees of a table: every write throws a FatalError (`table/read-only`), and `getBatch` waits for the schemas that it needs. */
export function tableView(view: StateStore, step: string | undefined): StateStore {
  const { name } = view;
  const refusal = (call: string) => (): never => {
    throw new FatalError('table/read-only', `${step === undefined ? '' : `step "${step}": `}${call} on the table "${name}", which only its topic writes`, {
      fix: 'write to the topic, or to a store under "stores"',
    });
  };
  const table = Object.create(view) as StateStore;
  const getBatch = view.getBatch as (...asked: unknown[]) => MaybePromise<unknown[]>;
  return Object.assign(table, Object.fromEntries(WRITES.map((call) => [call, refusal(call)])), {
    getBatch: (...asked: unknown[]) => prepared(() => getBatch.apply(table, asked)),
  });
}

/** What `read` gives when every schema that it needs is there. */
function prepared<T>(read: () => MaybePromise<T>): MaybePromise<T> {
  const again = (error: unknown): Promise<T> => {
    if (error instanceof SchemaNeeded) return error.need.then(() => prepared(read));
    throw error;
  };
  try {
    const result = read();
    return isPromise(result) ? result.catch(again) : result;
  } catch (error) {
    return again(error);
  }
}
