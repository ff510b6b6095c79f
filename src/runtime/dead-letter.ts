import type { RecordError } from '../core/errors.js';
import type { Header, Headers } from '../core/headers.js';
import type { OutputBatch } from '../core/output-batch.js';
import type { RawBatch } from '../core/raw-batch.js';

/** Writes a record as it was read to the dead letter topic, with headers that say what was wrong with it (E1). */
export function writeDeadLetter(held: OutputBatch, topic: string, error: RecordError, raw: RawBatch, index: number): void {
  held.add(topic, undefined, Math.max(raw.timestampAt(index), 0), raw.offsetAt(index));
  raw.passKey(index, held);
  raw.passValue(index, held);
  held.headers(headersOf(raw.headersAt(index), error));
}

/** A record's own headers and KIP-1034's, which say why it is a dead letter. */
function headersOf(headers: Headers, error: RecordError): Header[] {
  const cause = error.cause instanceof Error ? error.cause : error;
  const told: [string, string | undefined][] = [
    ['__streams.errors.exception', cause.name],
    ['__streams.errors.message', error.message],
    ['__streams.errors.stacktrace', cause.stack],
    ['__streams.errors.topic', error.origin?.topic],
    ['__streams.errors.partition', error.origin && String(error.origin.partition)],
    ['__streams.errors.offset', error.origin && String(error.origin.offset)],
    ['kstreamd.step', error.node],
  ];
  const added = told.flatMap(([key, text]) => (text === undefined ? [] : [{ key, value: Buffer.from(text) }]));
  return [...headers, ...added];
}
