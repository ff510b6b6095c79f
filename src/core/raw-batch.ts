import type { Headers } from './headers.js';
import type { OutputBatch } from './output-batch.js';
import type { Serde } from './serde.js';

/**
 * Where the keys and values of a batch lie in one piece of memory, for who goes through very many of them: a row a record, the
 * batch's one after the other. The value's bytes begin where the key's end.
 */
export interface RecordColumns {
  readonly bytes: Buffer;
  /** Of the batch's first record. */
  readonly firstRow: number;
  /** Where the key begins; without one, the value. */
  readonly keyPosition: Int32Array;
  /** In bytes; −1 where there is none. */
  readonly keyLength: Int32Array;
  readonly valueLength: Int32Array;
}

/**
 * Records of one topic partition in offset order, read by index (B1): the transport need not build an object a
 * record. Bytes stay valid as long as the batch is held. A transport says where key, value and headers are; it may
 * also deserialize them and pass them on without making a Buffer of each.
 */
export abstract class RawBatch {
  abstract readonly topic: string;
  abstract readonly partition: number;
  abstract readonly length: number;
  /** Bytes of keys and values together. */
  abstract readonly bytes: number;
  abstract offsetAt(index: number): number;
  /** Epoch milliseconds; −1 where the record has none. */
  abstract timestampAt(index: number): number;
  abstract keyAt(index: number): Buffer | null;
  abstract valueAt(index: number): Buffer | null;
  abstract headersAt(index: number): Headers;

  /** Of a transport that has keys and values so already. */
  columns(): RecordColumns | undefined {
    return undefined;
  }

  hasKeyAt(index: number): boolean {
    return this.keyAt(index) !== null;
  }

  /** A record without a value is a tombstone. */
  hasValueAt(index: number): boolean {
    return this.valueAt(index) !== null;
  }

  /** The key deserialized; null where there is none. Throws what the serde throws. */
  readKey<T>(index: number, serde: Serde<T>): T | null {
    const bytes = this.keyAt(index);
    return bytes === null ? null : serde.deserialize(bytes);
  }

  /** The value deserialized; null where there is none. Throws what the serde throws. */
  readValue<T>(index: number, serde: Serde<T>): T | null {
    const bytes = this.valueAt(index);
    return bytes === null ? null : serde.deserialize(bytes);
  }

  /** Gives the key as it is to the output that is being written. */
  passKey(index: number, outputs: OutputBatch): void {
    const bytes = this.keyAt(index);
    if (bytes !== null) outputs.keyFrom(bytes, 0, bytes.length);
  }

  /** Gives the value as it is to the output that is being written. */
  passValue(index: number, outputs: OutputBatch): void {
    const bytes = this.valueAt(index);
    if (bytes !== null) outputs.valueFrom(bytes, 0, bytes.length);
  }

  /** Gives the headers as they are to the output that is being written. */
  passHeaders(index: number, outputs: OutputBatch): void {
    outputs.headers(this.headersAt(index));
  }
}
