import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PackedHandle } from '../../src/kafka/native/addon.js';
import { loadAddon } from '../../src/kafka/native/addon.js';
import type { StockConsumer, StockProducer } from '../../src/kafka/stock.js';
import {
  type Attached,
  addon,
  codeOf,
  connectConsumer,
  disconnectConsumer,
  disconnectProducer,
  failureOf,
  openConsumer,
  openProducer,
  startMock,
} from './clients.js';
import { pack, packHeaders } from './packed.js';

const STATE = -172;
const CONFLICT = -173;

let mock: Awaited<ReturnType<typeof startMock>>;
let producer: Attached<StockProducer>;
let consumer: Attached<StockConsumer>;

beforeAll(async () => {
  mock = await startMock();
  await mock.makeTopic('topic');
  [producer, consumer] = [await openProducer(mock.brokers), await openConsumer(mock.brokers)];
});
afterAll(async () => {
  await producer.close();
  await consumer.close();
  await mock.close();
});

/** Values of every kind; none of them is a handle. */
const STRANGE: readonly unknown[] = [
  undefined,
  null,
  true,
  1,
  NaN,
  'text',
  Symbol('s'),
  10n,
  {},
  [],
  new Uint8Array(3),
  new ArrayBuffer(3),
  () => 1,
  new Proxy({}, {}),
];
const call = (name: keyof typeof addon, ...values: unknown[]): unknown => (addon[name] as (...values: unknown[]) => unknown)(...values);
const inBytes = (text: string): Uint8Array => Buffer.from(text);

describe('the wrong kind of argument throws a TypeError', () => {
  it.each(['detach', 'read', 'produce', 'topicConfigs'] as const)('%s without a handle', (name) => {
    for (const value of STRANGE) expect(() => call(name, value, 1, 1, 1, 1, 1)).toThrow(TypeError);
    expect(() => call(name)).toThrow(TypeError);
  });

  it.each(['load', 'attach'] as const)('%s without a text', (name) => {
    for (const value of STRANGE.filter((each) => typeof each !== 'string')) expect(() => call(name, value)).toThrow(TypeError);
    expect(() => call(name, 'a\0b')).toThrow(TypeError);
  });

  it('read and produce with the handle of the other kind', () => {
    const { topics, count, fields, timestamps, sources } = pack([{}]);
    expect(() => addon.read(producer.handle, 1, 1)).toThrow(TypeError);
    expect(() => addon.produce(consumer.handle, topics, count, fields, timestamps, sources)).toThrow(TypeError);
  });

  it('produce with anything else than the arrays it takes', () => {
    const { topics, count, fields, timestamps, sources } = pack([{ value: Buffer.from('v') }]);
    const good = [topics, count, fields, timestamps, sources];
    for (const [index, bad] of [
      ...STRANGE.filter((each) => !Array.isArray(each)).map((value) => [0, value] as const),
      ...STRANGE.filter((each) => typeof each === 'string' || typeof each === 'object').map((value) => [1, value] as const),
      ...[...STRANGE, new Uint32Array(10), new Float32Array(10)].map((value) => [2, value] as const),
      ...[...STRANGE, new Float32Array(10), new BigInt64Array(10)].map((value) => [3, value] as const),
      ...STRANGE.filter((each) => !Array.isArray(each)).map((value) => [4, value] as const),
      [0, [1]],
      [0, ['a\0b']],
      [4, ['text']],
      [4, [new Int8Array(10)]],
      [4, [new DataView(new ArrayBuffer(8))]],
    ] as const) {
      expect(() => call('produce', producer.handle, ...good.with(index, bad as never)), `argument ${index}: ${String(bad)}`).toThrow(TypeError);
    }
  });

  it('topicConfigs with anything else than names', () => {
    for (const value of STRANGE.filter((each) => !Array.isArray(each))) expect(() => call('topicConfigs', producer.handle, value, 100)).toThrow(TypeError);
    expect(() => call('topicConfigs', producer.handle, ['a', 1], 100)).toThrow(TypeError);
    expect(() => call('topicConfigs', producer.handle, ['a'], 0)).toThrow(RangeError);
  });
});

describe('a number out of its range throws a RangeError', () => {
  it.each([0, -1, 100_001, 1.5, NaN, Infinity, 2 ** 32 + 1])('read of at most %d', (max) => {
    expect(() => addon.read(consumer.handle, max, 0)).toThrow(RangeError);
  });

  it.each([-1, 0.5, NaN, 2 ** 31])('read for %d ms', (timeoutMs) => {
    expect(() => addon.read(consumer.handle, 1, timeoutMs)).toThrow(RangeError);
  });

  const sources = [inBytes('0123456789'), inBytes('')];
  const SOUND = [0, -1, 0, 0, 4, 0, 4, 6, 0, -1];
  it.each<[string, number, number]>([
    ['a topic after the last', 0, 1],
    ['a topic before the first', 0, -1],
    ['a partition below −1', 1, -2],
    ['a key in no source', 2, 2],
    ['a key in source −1', 2, -1],
    ['a key before its source', 3, -1],
    ['a key beyond its source', 3, 7],
    ['a key far beyond its source', 3, 0x7fffffff],
    ['a key longer than its source', 4, 11],
    ['a key whose end overflows', 4, 0x7fffffff],
    ['a key of length −2', 4, -2],
    ['a key of the smallest length', 4, -0x80000000],
    ['a value in no source', 5, 2],
    ['a value in an empty source', 5, 1],
    ['a value before its source', 6, -0x80000000],
    ['a value beyond its source', 7, 7],
    ['a value of length −2', 7, -2],
    ['headers before their source', 9, -2],
    ['headers beyond their source', 9, 7],
    ['headers at the very end', 9, 0x7fffffff],
    ['headers of random bytes', 9, 0],
  ])('produce of %s', (_, field, value) => {
    const fields = Int32Array.from([...SOUND, ...SOUND.with(field, value)]);
    expect(() => addon.produce(producer.handle, ['topic'], 2, fields, new Float64Array(2), sources)).toThrow(RangeError);
    expect(() => addon.produce(producer.handle, ['topic'], 2, fields, new Float64Array(2), sources)).toThrow(/record 1: /);
  });

  it.each([3, -1, 1e9, NaN, 0.5])('produce of %d records where there are two', (count) => {
    expect(() => addon.produce(producer.handle, ['topic'], count, new Int32Array(20), new Float64Array(20), sources)).toThrow(RangeError);
    expect(() => addon.produce(producer.handle, ['topic'], count, new Int32Array(29), new Float64Array(2), sources)).toThrow(RangeError);
  });

  it.each([NaN, -2, Infinity, 2 ** 60, -Infinity])('produce at the time %d', (timestamp) => {
    expect(() => addon.produce(producer.handle, ['topic'], 1, Int32Array.from(SOUND), Float64Array.of(timestamp), sources)).toThrow(RangeError);
  });

  const setInt = (value: number, at: number) => (bytes: Buffer) => {
    bytes.writeInt32LE(value, at);
    return bytes;
  };
  const sound = packHeaders([['name', Buffer.from('value')], ['null', null]]); // biome-ignore format: a line
  it.each<[string, (bytes: Buffer) => Buffer]>([
    ['a negative count', setInt(-1, 0)],
    ['a count too large', setInt(0x7fffffff, 0)],
    ['one header too many', setInt(3, 0)],
    ['a name of length −1', setInt(-1, 4)],
    ['a name too long', setInt(0x7fffffff, 4)],
    ['a value of length −2', setInt(-2, 8)],
    ['a value too long', setInt(0x7fffffff, 8)],
    ['their last byte cut off', (bytes) => bytes.subarray(0, -1)],
    ['all but three bytes cut off', (bytes) => bytes.subarray(0, 3)],
    ['nothing at all', (bytes) => bytes.subarray(0, 0)],
  ])('produce of headers with %s', (_, spoil) => {
    const fields = Int32Array.from([0, -1, 0, 0, -1, 0, 0, -1, 0, 0]);
    const spoiled = Uint8Array.from(spoil(Buffer.from(sound)));
    expect(() => addon.produce(producer.handle, ['topic'], 1, fields, Float64Array.of(-1), [spoiled])).toThrow(/headers are malformed/);
  });
});

describe('an array whose elements are code', () => {
  const { topics, count, fields, timestamps, sources } = pack([{ value: Buffer.alloc(100_000, 'v') }]);
  const trap = (run: () => void): Uint8Array[] =>
    Object.defineProperty([...sources], sources.length, {
      enumerable: true,
      get: () => {
        run();
        return new Uint8Array(1);
      },
    });

  it('can take the memory of another source away', () => {
    const own = sources.map((source) => Uint8Array.from(source));
    const list = trap(() => structuredClone(own[0]!.buffer, { transfer: [own[0]!.buffer as ArrayBuffer] }));
    list[0] = own[0]!;
    expect(() => addon.produce(producer.handle, topics, count, fields, timestamps, list)).toThrow(/its value lies outside of its source/);
  });

  it('can begin another call, or throw', async () => {
    let begun: Promise<unknown> | undefined;
    const list = trap(() => {
      begun = addon.produce(producer.handle, topics, count, fields, timestamps, sources);
    });
    expect(codeOf(await failureOf(() => addon.produce(producer.handle, topics, count, fields, timestamps, list)))).toBe(CONFLICT);
    await begun;
    const throwing = trap(() => {
      throw new Error('from a getter');
    });
    expect(() => addon.produce(producer.handle, topics, count, fields, timestamps, throwing)).toThrow('from a getter');
  });

  it('can end the handle', async () => {
    const ended = await openProducer(mock.brokers);
    let detached: Promise<unknown> | undefined;
    const list = trap(() => {
      detached = addon.detach(ended.handle);
    });
    expect(codeOf(await failureOf(() => addon.produce(ended.handle, topics, count, fields, timestamps, list)))).toBe(STATE);
    await detached;
    await disconnectProducer(ended.client);
  });
});

it('random fields never do more than throw', async () => {
  const bytes = Buffer.alloc(64);
  let thrown = 0;
  for (let seed = 1, round = 0; round < 5_000; round++) {
    const next = (): number => (seed = (Math.imul(seed, 1664525) + 1013904223) | 0);
    const fields = Int32Array.from({ length: 10 }, () => (next() % 3 === 0 ? next() : (next() >>> 4) % 70) - 1);
    for (let i = 0; i < 64; i++) bytes[i] = next() % 4 === 0 ? next() : 0;
    try {
      await addon.produce(producer.handle, ['topic'], 1, fields, Float64Array.of(-1), [bytes]);
    } catch (error) {
      thrown++;
      expect(error).toBeInstanceOf(RangeError);
    }
  }
  expect(thrown).toBeGreaterThan(1_000);
});

describe('a handle', () => {
  it('belongs to a token that is alive', async () => {
    const error = await failureOf(() => addon.attach('nobody'));
    expect([error.message, error.code]).toEqual(['nobody is the token of no client that is alive', STATE]);
  });

  it('is given once for each client', async () => {
    const error = await failureOf(() => addon.attach(producer.token));
    expect([error.message, error.code]).toEqual([`${producer.token} was attached before`, STATE]);
  });

  it('is refused when two clients have one token', async () => {
    const config = { 'bootstrap.servers': mock.brokers, 'kstreamd.token': 'shared' };
    const [first, second] = [await connectConsumer(mock.brokers, config), await connectConsumer(mock.brokers, config)];
    const error = await failureOf(() => addon.attach('shared'));
    expect([error.message, error.code]).toEqual(['shared is the token of two clients', STATE]);
    await disconnectConsumer(first.client);
    await addon.detach(addon.attach('shared'));
    await disconnectConsumer(second.client);
  });

  it('reads once at a time, and produces once at a time', async () => {
    const reading = addon.read(consumer.handle, 1, 300);
    const error = await failureOf(() => addon.read(consumer.handle, 1, 300));
    expect([error.message, error.code]).toEqual(['another read is under way on this handle', CONFLICT]);
    await reading;
    await addon.read(consumer.handle, 1, 0);

    const { topics, count, fields, timestamps, sources } = pack([{ value: Buffer.from('v') }]);
    const producing = addon.produce(producer.handle, topics, count, fields, timestamps, sources);
    expect(codeOf(await failureOf(() => addon.produce(producer.handle, topics, count, fields, timestamps, sources)))).toBe(CONFLICT);
    await producing;
  });

  it('is of no use after detach', async () => {
    const [ended, gone] = [await openConsumer(mock.brokers), await openProducer(mock.brokers)];
    await ended.close();
    await gone.close();
    const uses: readonly (() => unknown)[] = [
      () => addon.read(ended.handle, 1, 1),
      () => addon.detach(ended.handle),
      () => addon.detach(gone.handle),
      () => addon.produce(gone.handle, [], 0, new Int32Array(0), new Float64Array(0), []),
      () => addon.topicConfigs(gone.handle, ['topic'], 100),
    ];
    for (const use of uses) expect(await failureOf(use)).toMatchObject({ code: STATE, message: 'the handle was detached' });
  });

  it('tells that its client was disconnected, and can still be detached', async () => {
    const gone = await openProducer(mock.brokers);
    await disconnectProducer(gone.client);
    const error = await failureOf(() => addon.produce(gone.handle, [], 0, new Int32Array(0), new Float64Array(0), []));
    expect([error.message, error.code]).toEqual(['the client of this handle was disconnected', STATE]);
    await addon.detach(gone.handle);
    expect(codeOf(await failureOf(() => addon.attach(gone.token)))).toBe(STATE);
  });

  it('is not any other external value', () => {
    const other = {} as PackedHandle;
    expect(() => addon.detach(other)).toThrow('this is not a handle of the packed addon');
  });
});

describe('loading', () => {
  it('again is harmless', () => {
    expect(loadAddon(process.env.KSTREAMD_TEST_ADDON)).not.toHaveProperty('reason');
  });

  it('tells of a file that is absent', () => {
    expect(loadAddon('/nowhere/packed.node')).toEqual({ reason: expect.stringMatching(/^it was not built: /) });
  });

  it('tells of a file that is no addon', () => {
    expect(loadAddon(import.meta.filename)).toEqual({ reason: expect.any(String) });
  });

  it('refuses a client that is not loaded', async () => {
    const error = await failureOf(() => addon.load('/nowhere/client.node'));
    expect([error.message, error.code]).toEqual(['/nowhere/client.node is not loaded: require the stock client first', STATE]);
  });
});
