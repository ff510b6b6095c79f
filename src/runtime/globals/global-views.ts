import type { Serde } from '../../core/serde.js';
import { type StoreRows, StoreView } from '../store-view.js';
import { StoreCodec } from '../stores/store-codec.js';
import type { OpenStore } from '../stores/store-kind.js';
import { tableFormat } from '../tables/table-format.js';
import { tableView } from '../tables/table-view.js';

/** What a step's context reads global tables through. */
export interface GlobalViews {
  /** Undefined for a name that is no global table. */
  get(name: string): Pick<OpenStore, 'view'> | undefined;
}

/** How steps see a global table (S6): as a key-value store that only its topic writes. `rows` throws while it cannot be read. */
export function globalView(name: string, rows: StoreRows, key: Serde<unknown>, value: Serde<unknown>): OpenStore['view'] {
  const codec = new StoreCodec(name, tableFormat(key, name, 'key'), tableFormat(value, name, 'value'));
  return ({ scans, step }) => tableView(new StoreView(rows, codec, scans, step), step);
}
