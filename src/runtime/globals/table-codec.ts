import { messageOf, RecordError } from '../../core/errors.js';
import { StoreCodec } from '../stores/store-codec.js';

/**
 * Keys and values of a global table, whose bytes others wrote: what cannot be read is the fault of the record whose step
 * looks it up, so that its `onError` decides (E1).
 */
export class TableCodec<K = unknown, V = unknown> extends StoreCodec<K, V> {
  protected override unreadable(field: string, format: string, cause: unknown): RecordError {
    return new RecordError('process', undefined, undefined, `global table ${this.store} holds a ${field} that is not ${format}: ${messageOf(cause)}`, {
      code: 'table/format',
      cause,
      fix: 'declare the format that the topic was written with, or write the key again',
    });
  }
}
