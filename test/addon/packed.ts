import type { PackedAddon, PackedHandle } from '../../src/kafka/native/addon.js';

// The packed layout once more, written from its description alone: tests compare with this, not with what the daemon uses.

export type Bytes = Buffer | null;
export type Header = readonly [name: string, value: Bytes];

export interface PackedRecord {
  readonly topic: string;
  readonly partition: number;
  readonly key: Bytes;
  readonly value: Bytes;
  readonly headers: readonly Header[];
  readonly timestamp: number;
}

export interface ReadRecord extends PackedRecord {
  readonly offset: number;
  readonly epoch: number;
}

export interface ReadEvent {
  readonly code: number;
  readonly topic: string | undefined;
  readonly partition: number;
  readonly offset: number;
  readonly text: string;
}

export interface Unpacked {
  readonly records: readonly ReadRecord[];
  readonly events: readonly ReadEvent[];
  readonly parts: number;
  readonly bodyBytes: number;
}

/** Copies everything out of one read. */
export function unpack(memory: ArrayBuffer): Unpacked {
  const bytes = Buffer.from(memory);
  const [n, p, e, start, bodyBytes] = Array.from(new Int32Array(memory, 0, 8)) as [number, number, number, number, number];
  const offsets = new Float64Array(memory, 32, n);
  const timestamps = new Float64Array(memory, 32 + 8 * n, n);
  const eventOffsets = new Float64Array(memory, 32 + 16 * n, e);
  const words = new Int32Array(memory, 32 + 16 * n + 8 * e, 4 * n + 6 * p + 6 * e);
  if (words.byteOffset + words.byteLength !== start) throw new Error(`the byte area starts at ${start}`);
  const slice = (position: number, length: number): Buffer => {
    if (position < start || position + length > bytes.length) throw new Error(`${length} bytes at ${position} of ${bytes.length}`);
    return Buffer.from(bytes.subarray(position, position + length));
  };
  const records: ReadRecord[] = [];
  for (let part = 0; part < p; part++) {
    const [topicPos, topicLen, partition, first, count, epoch] = words.subarray(4 * n + 6 * part) as unknown as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    if (first !== records.length) throw new Error(`part ${part} starts at ${first}, not ${records.length}`);
    const topic = slice(topicPos, topicLen).toString();
    for (let i = first; i < first + count; i++) {
      const [keyPos, keyLen, valLen, hdrPos] = [words[i]!, words[n + i]!, words[2 * n + i]!, words[3 * n + i]!];
      const key = keyLen === -1 ? null : slice(keyPos, keyLen);
      const value = valLen === -1 ? null : slice(keyPos + Math.max(keyLen, 0), valLen);
      const headers = hdrPos === -1 ? [] : unpackHeaders(bytes, hdrPos);
      records.push({ topic, partition, offset: offsets[i]!, timestamp: timestamps[i]!, key, value, headers, epoch });
    }
  }
  const events = Array.from({ length: e }, (_, i): ReadEvent => {
    const [code, topicPos, topicLen, partition, textPos, textLen] = words.subarray(4 * n + 6 * p + 6 * i) as unknown as number[] as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    const topic = topicLen === -1 ? undefined : slice(topicPos, topicLen).toString();
    return { code, topic, partition, offset: eventOffsets[i]!, text: slice(textPos, textLen).toString() };
  });
  return { records, events, parts: p, bodyBytes };
}

function unpackHeaders(bytes: Buffer, position: number): Header[] {
  let at = position;
  const word = (): number => {
    at += 4;
    return bytes.readInt32LE(at - 4);
  };
  const take = (length: number): Buffer => {
    at += length;
    return Buffer.from(bytes.subarray(at - length, at));
  };
  return Array.from({ length: word() }, () => {
    const [nameLength, valueLength] = [word(), word()];
    return [take(nameLength).toString(), valueLength === -1 ? null : take(valueLength)] as const;
  });
}

export interface Output {
  readonly topics: string[];
  readonly count: number;
  readonly fields: Int32Array;
  readonly timestamps: Float64Array;
  readonly sources: Uint8Array[];
}

/** Each key, value and set of headers in a source of its own, behind one byte that belongs to none. */
export function pack(records: readonly Partial<PackedRecord>[]): Output {
  const topics: string[] = [];
  const sources: Uint8Array[] = [];
  const put = (bytes: Bytes): [source: number, position: number, length: number] =>
    bytes === null ? [0, 0, -1] : [sources.push(Buffer.concat([Buffer.from('|'), bytes])) - 1, 1, bytes.length];
  const rows = records.map(({ topic = 'topic', partition = -1, key = null, value = null, headers = [] }) => {
    if (!topics.includes(topic)) topics.push(topic);
    const [headerSource, headerPos] = headers.length === 0 ? [0, -1] : put(packHeaders(headers));
    return [topics.indexOf(topic), partition, ...put(key), ...put(value), headerSource, headerPos];
  });
  const timestamps = Float64Array.from(records, ({ timestamp = -1 }) => timestamp);
  return { topics, count: records.length, fields: Int32Array.from(rows.flat()), timestamps, sources };
}

export function packHeaders(headers: readonly Header[]): Buffer {
  const words = (...values: number[]): Buffer => Buffer.from(Int32Array.from(values).buffer);
  const parts = headers.flatMap(([name, value]) => [words(Buffer.byteLength(name), value?.length ?? -1), Buffer.from(name), value ?? Buffer.alloc(0)]);
  return Buffer.concat([words(headers.length), ...parts]);
}

export const send = (addon: PackedAddon, handle: PackedHandle, { topics, count, fields, timestamps, sources }: Output): Promise<Int32Array | undefined> =>
  addon.produce(handle, topics, count, fields, timestamps, sources);

/** Reads until `done` says that there is enough, or fails after 20 s. */
export async function readUntil(
  addon: PackedAddon,
  handle: PackedHandle,
  done: (all: Unpacked) => boolean,
  max = 1000,
): Promise<Unpacked & { readonly reads: number }> {
  const all = { records: [] as ReadRecord[], events: [] as ReadEvent[], parts: 0, bodyBytes: 0, reads: 0 };
  for (const end = Date.now() + 20_000; Date.now() < end; ) {
    const memory = await addon.read(handle, max, 200);
    if (memory !== undefined) {
      const { records, events, parts, bodyBytes } = unpack(memory);
      all.records.push(...records);
      all.events.push(...events);
      all.parts += parts;
      all.reads++;
      all.bodyBytes += bodyBytes;
    }
    if (done(all)) return all;
  }
  throw new Error(`not in time: ${all.records.length} records, ${JSON.stringify(all.events)}`);
}
