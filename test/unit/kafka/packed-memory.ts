import { encodeHeaders, type Headers } from '../../../src/core/headers.js';

export interface Part {
  readonly topic: string;
  readonly partition: number;
  readonly leaderEpoch?: number;
  readonly records: readonly {
    readonly offset: number;
    readonly timestamp?: number;
    readonly key?: string | null;
    readonly value?: string | null;
    readonly headers?: Headers;
  }[];
}

export interface Event {
  readonly code: number;
  readonly topic?: string;
  readonly partition: number;
  readonly text: string;
}

/** What the addon's `read` gives, laid out by hand as its contract in addon.ts says. */
export function packedMemory(parts: readonly Part[], events: readonly Event[] = []): ArrayBuffer {
  const records = parts.flatMap((part) => part.records);
  const area = new Area(32 + records.length * 32 + events.length * 8 + parts.length * 24 + events.length * 24);
  const bodies = records.map(({ key = null, value = null, headers = [] }) => {
    const position = area.put(Buffer.from((key ?? '') + (value ?? '')));
    const lengths = [key, value].map((text) => (text === null ? -1 : Buffer.byteLength(text)));
    return [position, ...lengths, headers.length === 0 ? -1 : area.put(encodeHeaders(headers))] as [number, number, number, number];
  });
  let first = 0;
  const partWords = parts.flatMap(({ topic, partition, leaderEpoch = -1, records: { length } }) => {
    first += length;
    return [area.put(Buffer.from(topic)), Buffer.byteLength(topic), partition, first - length, length, leaderEpoch];
  });
  const eventWords = events.flatMap(({ code, topic, partition, text }) => [
    code,
    ...(topic === undefined ? [0, -1] : [area.put(Buffer.from(topic)), Buffer.byteLength(topic)]),
    partition,
    area.put(Buffer.from(text)),
    Buffer.byteLength(text),
  ]);
  const size = bodies.reduce((sum, [, key, value]) => sum + Math.max(key, 0) + Math.max(value, 0), 0);
  const columns = [0, 1, 2, 3].flatMap((column) => bodies.map((body) => body[column] as number));
  const doubles = [...records.map(({ offset }) => offset), ...records.map(({ timestamp = -1 }) => timestamp), ...events.map(() => -1)];
  const head = [records.length, parts.length, events.length, area.start, size, 0, 0, 0];
  return area.after(Int32Array.from(head), Float64Array.from(doubles), Int32Array.from([...columns, ...partWords, ...eventWords]));
}

/** The bytes behind the columns. An odd byte before each piece: nothing is aligned. */
class Area {
  private readonly pieces: Buffer[] = [];
  private next: number;

  constructor(readonly start: number) {
    this.next = start;
  }

  put(bytes: Buffer): number {
    this.pieces.push(Buffer.from('|'), bytes);
    const at = this.next + 1;
    this.next = at + bytes.length;
    return at;
  }

  after(...columns: readonly (Int32Array | Float64Array)[]): ArrayBuffer {
    const all = Buffer.concat([...columns.map(({ buffer }) => Buffer.from(buffer)), ...this.pieces]);
    const memory = new ArrayBuffer(all.length);
    all.copy(Buffer.from(memory));
    return memory;
  }
}
