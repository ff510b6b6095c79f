import { FatalError } from '../../core/errors.js';
import { isPromise, type MaybePromise } from '../../core/maybe.js';
import type { StateStore } from '../../core/store-types.js';
import type { OpenStore } from '../stores/store-kind.js';
import { SchemaNeeded } from './table-values.js';

/** How a table's own node writes it: no name of a method that a plugin may meet. */
export const FILL = Symbol('fill');

export interface TableStore {
  /** Bytes as they stand in the topic, the key one character a byte; null deletes. `timestamp` in epoch milliseconds. */
  [FILL](key: string, value: Buffer | null, timestamp: number): void;
}

/** A store whose views can be read only: its own node alone writes it, from its topic (S5). */
export function asTable(store: OpenStore): OpenStore {
  const view = store.view.bind(store);
  return Object.assign(store, { view: (viewer: Parameters<OpenStore['view']>[0]) => tableView(store, view(viewer)) });
}

function tableView(store: OpenStore, view: StateStore): StateStore & TableStore {
  const { name } = view;
  const refuse = (): never => {
    throw new FatalError('table/read-only', `"${name}" is a table, which only its topic writes`, { fix: 'write to the topic, or to a store under "stores"' });
  };
  const getBatch = view.getBatch.bind(view) as (...asked: unknown[]) => MaybePromise<unknown[]>;
  return Object.assign(Object.create(view) as StateStore, {
    put: refuse,
    putIfAbsent: refuse,
    delete: refuse,
    setBatch: refuse,
    deleteBatch: refuse,
    getBatch: (...asked: unknown[]) => prepared(() => getBatch(...asked)),
    [FILL]: (key: string, value: Buffer | null, timestamp: number) => store.fill?.(key, value, timestamp),
  }) as StateStore & TableStore;
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
