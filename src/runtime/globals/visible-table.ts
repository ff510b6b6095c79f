import { RetriableError } from '../../core/errors.js';
import type { OpenStore } from '../stores/store-kind.js';

/** A table's layer of bytes, as far as it may be read. */
export type TableBytes = Pick<OpenStore, 'buffer' | 'reader'>;

/** Where views of a table read; what is behind it changes when the table is built anew. */
export interface VisibleTable {
  readonly name: string;
  /** Throws a RetriableError (`table/loading`) while the table is incomplete. */
  readonly bytes: TableBytes;
}

export function loadingError(table: string): RetriableError {
  return new RetriableError('table/loading', `global table ${table} is being read from its topic`, {
    fix: 'wait until it is complete; /status tells how far it is',
  });
}
