import { loadAddon, type PackedAddon, type PackedHandle } from '../../src/kafka/native/addon.js';
import { newConsumer, newProducer, promised, type StockConsumer, type StockMetadata, type StockProducer } from '../../src/kafka/stock.js';

// The address sanitizer's library is for this process, not for the broker and the compiler that tests start.
delete process.env.LD_PRELOAD;

const loaded = loadAddon(process.env.KSTREAMD_TEST_ADDON);
if ('reason' in loaded) throw new Error(`the packed addon cannot be loaded: ${loaded.reason}`);

export const addon: PackedAddon = loaded.addon;
export const addonFile: string = loaded.file;
export const librdkafkaVersion: string = loaded.version;

const TIMEOUT_MS = 10_000;
let tokens = 0;

export interface Attached<Client> {
  readonly client: Client;
  readonly handle: PackedHandle;
  readonly token: string;
  /** detach, then disconnect */
  close(): Promise<void>;
}

type Config = Readonly<Record<string, unknown>>;

const plugged = (token: string, config: Config): Config => ({ 'plugin.library.paths': addonFile, 'kstreamd.token': token, log_level: 0, ...config });
const newToken = (): string => `token-${process.pid}-${tokens++}`;

/** A stock consumer with the plugin, connected and not attached. */
export async function connectConsumer(brokers: string, config: Config = {}): Promise<{ client: StockConsumer; token: string }> {
  const token = newToken();
  const quick = { 'fetch.wait.max.ms': 10, 'fetch.queue.backoff.ms': 5, 'auto.offset.reset': 'earliest', 'enable.auto.commit': false };
  const client = newConsumer(plugged(token, { 'bootstrap.servers': brokers, 'group.id': token, ...quick, ...config }));
  await promised<unknown>((done) => client.connect({ timeout: TIMEOUT_MS, allTopics: false }, done));
  return { client, token };
}

export async function openConsumer(brokers: string, config: Config = {}): Promise<Attached<StockConsumer>> {
  const { client, token } = await connectConsumer(brokers, config);
  const handle = addon.attach(token);
  const close = async (): Promise<void> => {
    await addon.detach(handle);
    await disconnectConsumer(client);
  };
  return { client, handle, token, close };
}

export const disconnectConsumer = (client: StockConsumer): Promise<unknown> => promised<unknown>((done) => client.disconnect(done));
export const disconnectProducer = (client: StockProducer): Promise<unknown> => promised<unknown>((done) => client.disconnect(TIMEOUT_MS, done));

export async function openProducer(brokers: string, config: Config = {}): Promise<Attached<StockProducer>> {
  const token = newToken();
  const client = newProducer(plugged(token, { 'bootstrap.servers': brokers, 'linger.ms': 0, ...config }));
  await promised<unknown>((done) => client.connect({ timeout: TIMEOUT_MS, allTopics: false }, done));
  const handle = addon.attach(token);
  const close = async (): Promise<void> => {
    await addon.detach(handle);
    await disconnectProducer(client);
  };
  return { client, handle, token, close };
}

export const flush = (producer: StockProducer): Promise<void> => promised((done) => producer.flush(TIMEOUT_MS, done));

export const metadata = (client: StockProducer | StockConsumer, topic?: string): Promise<StockMetadata> =>
  promised((done) => client.getMetadata({ ...(topic === undefined ? {} : { topic }), timeout: TIMEOUT_MS, allTopics: false }, done));

/** librdkafka's mock cluster in this process. Asking for a topic makes it, with four partitions. */
export async function startMock(): Promise<{ brokers: string; makeTopic(name: string): Promise<void>; close(): Promise<void> }> {
  const host = newProducer({ 'test.mock.num.brokers': 1, 'bootstrap.servers': 'mock', log_level: 0 });
  await promised<unknown>((done) => host.connect({ timeout: TIMEOUT_MS, allTopics: false }, done));
  const { brokers } = await metadata(host);
  return {
    brokers: brokers.map(({ host: name, port }) => `${name}:${port}`).join(','),
    makeTopic: async (name) => void (await metadata(host, name)),
    close: async () => void (await disconnectProducer(host)),
  };
}

/** librdkafka's code of an error that the addon threw or rejected with. */
export const codeOf = (error: unknown): unknown => (error as { code?: unknown }).code;

/** What a promise or a function failed with. */
export async function failureOf(action: (() => unknown) | Promise<unknown>): Promise<Error & { code?: number }> {
  try {
    await (typeof action === 'function' ? action() : action);
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing failed');
}
