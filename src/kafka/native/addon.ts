import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { messageOf } from '../../core/errors.js';

/** The same file from `src/` and from `dist/`. */
const FILE = fileURLToPath(new URL('../../../dist/kafka/native/packed.node', import.meta.url));
/** Where the build says why there is no addon. */
const REASON_FILE = FILE.replace(/\.node$/, '.reason');

/** One client of the stock package, as the addon holds it. Opaque; without `detach` it ends with the garbage collector or with the client. */
export interface PackedHandle {
  readonly packedHandle: unique symbol;
}

/**
 * The native addon (packed.c). Every error is an Error with librdkafka's code as `code` and its text; wrong kinds of
 * arguments throw a TypeError and numbers out of range a RangeError, before anything happens.
 */
export interface PackedAddon {
  /**
   * Takes librdkafka's functions from the stock client's native file, which must have been required before; its
   * version. Once, before the first client that shall be attached. Throws when it lacks plugins or a function.
   */
  load(stockNodeFile: string): string;

  /**
   * The connected consumer or producer whose configuration has `plugin.library.paths` (the addon's file) and then
   * `kstreamd.token` (this token). Throws when there is none, or two; a client can be attached once.
   */
  attach(token: string): PackedHandle;

  /**
   * Resolves when nothing is in flight; waiting calls end within 50 ms and give what they have. Before the client
   * disconnects: a read that meets the end of a consumer can keep it from ending. Later calls with the handle throw.
   */
  detach(handle: PackedHandle): Promise<void>;

  /**
   * Waits up to `timeoutMs` for a first record or event, then takes what is there: at most `max` (1 to 100,000), and
   * no more once it is 16 MiB. undefined: nothing came. One at a time, never together with the client's own `consume`.
   *
   * All is little endian, and a position counts bytes from the start of the ArrayBuffer:
   * - Int32[8]: records n, parts p, events e, start of the byte area, bytes of all keys and values, 0, 0, 0
   * - Float64[n] offsets; Float64[n] timestamps (−1: none); Float64[e] offsets of the events
   * - Int32[n] each: position of the key, length of the key (−1: null), length of the value (−1: null), which lies
   *   behind the key, and position of the headers (−1: none)
   * - Int32[6] for each part: position and length of the topic, partition, first record, records, leader epoch (−1: none)
   * - Int32[6] for each event: code, position and length of the topic (−1: none), partition, position and length of the text
   * - bytes
   *
   * Records are grouped by topic, partition and leader epoch, groups in order of their first record, records in the
   * order they came. Headers, not aligned: Int32 count, then for each Int32 length of the name, Int32 length of the
   * value (−1: null), name, value. An event is what librdkafka hands out as a message with an error: end of a partition
   * (−191, with the offset reached), no offset to start at (−140), max.poll.interval.ms exceeded (−147) …
   */
  read(handle: PackedHandle, max: number, timeoutMs: number): Promise<ArrayBuffer | undefined>;

  /**
   * Queues `count` records and copies their bytes; waits while the queue is full. For each record `fields` holds ten
   * numbers: index of the topic, partition (−1: the partitioner's), then source, position and length of the key
   * (length −1: null), the same of the value, source and position of the headers (−1: none), encoded as `read` gives
   * them. Sources are indexes; a length of 0 is sent as empty. `timestamps` are milliseconds, −1 for the time of the
   * call. One at a time; the sources must not change before it resolves. Gives index and code of each record that was
   * not queued, one after the other (−197: the handle was detached meanwhile), undefined when all were.
   */
  produce(
    handle: PackedHandle,
    topics: readonly string[],
    count: number,
    fields: Int32Array,
    timestamps: Float64Array,
    sources: readonly Uint8Array[],
  ): Promise<Int32Array | undefined>;

  /** The settings of topics as their broker tells them, by topic and name; null ones are left out. Rejects with the first topic's error. */
  topicConfigs(handle: PackedHandle, topics: readonly string[], timeoutMs: number): Promise<Record<string, Record<string, string>>>;
}

export interface LoadedAddon {
  readonly addon: PackedAddon;
  /** What `plugin.library.paths` has to name. */
  readonly file: string;
  /** librdkafka's. */
  readonly version: string;
}

/** The addon, bound to the stock client's librdkafka, or why there is none. Never throws. */
export function loadAddon(file = FILE): LoadedAddon | { readonly reason: string } {
  if (!existsSync(file)) return { reason: `it was not built: ${whyNotBuilt()}` };
  try {
    const require = createRequire(import.meta.url);
    // The stock client first: loaded by the addon instead, its library would end the process.
    const stock = require('@confluentinc/kafka-javascript/librdkafka.js') as { readonly path: string };
    const addon = require(file) as PackedAddon;
    return { addon, file, version: addon.load(stock.path) };
  } catch (error) {
    return { reason: messageOf(error) };
  }
}

function whyNotBuilt(): string {
  return existsSync(REASON_FILE) ? readFileSync(REASON_FILE, 'utf8').trim() : `${FILE} is absent`;
}
