import { execFile } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newProducer, promised } from '../../src/kafka/stock.js';
import { addonFile, librdkafkaVersion } from './clients.js';

const require = createRequire(import.meta.url);
const run = promisify(execFile);
const stock = path.join(import.meta.dirname, '../../node_modules/@confluentinc/kafka-javascript');
const librdkafka = path.join(stock, 'build/deps/librdkafka.so.1');

const folder = mkdtempSync(path.join(tmpdir(), 'kstreamd-addon-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The first line of what node prints. */
const node = async (code: string): Promise<string> => (await run(process.execPath, ['-e', code], { env: { ...process.env, ...sanitizer() } })).stdout.trim();

/** A process that loads an addon built with the address sanitizer needs its library first. */
function sanitizer(): Record<string, string> {
  const library = process.env.KSTREAMD_TEST_PRELOAD;
  return library === undefined ? {} : { LD_PRELOAD: library };
}

const connect = (config: object): Promise<unknown> => {
  const client = newProducer({ 'bootstrap.servers': '127.0.0.1:1', ...config });
  return promised((done) => client.connect({ timeout: 100, allTopics: false }, done));
};

describe('a plugin file', () => {
  it('that Node has not loaded fails the client with a clear text', async () => {
    const copy = path.join(folder, 'copy.node');
    copyFileSync(addonFile, copy);
    await expect(async () => connect({ 'plugin.library.paths': copy, 'kstreamd.token': 't' })).rejects.toThrow(
      /the packed addon is not loaded: load\(\) comes before/,
    );
  });

  it('that is absent fails the client', async () => {
    await expect(async () => connect({ 'plugin.library.paths': '/nowhere.node' })).rejects.toThrow(/nowhere/);
  });
});

it('the addon alone, without the stock client, refuses instead of ending the process', async () => {
  const stockFile = require.resolve(path.join(stock, 'build/Release/confluent-kafka-javascript.node'));
  const text = await node(`try { require(${JSON.stringify(addonFile)}).load(${JSON.stringify(stockFile)}) } catch (e) { console.log(e.code, e.message) }`);
  expect(text).toBe(`-172 ${stockFile} is not loaded: require the stock client first`);
});

/** Only a librdkafka that is a library of its own can be there twice. */
describe.skipIf(!existsSync(librdkafka))('a second librdkafka in the process', () => {
  const helper = path.join(folder, 'second.node');
  const second = path.join(folder, 'librdkafka-second.so');

  beforeAll(async () => {
    const headers = ['-isystem', require('node-api-headers').include_dir, '-isystem', path.join(stock, 'deps/librdkafka/src')];
    await run('cc', ['-fPIC', '-shared', ...headers, path.join(import.meta.dirname, 'second-librdkafka.c'), '-o', helper, '-ldl']);
    copyFileSync(librdkafka, second);
  });

  it('is refused where it configures a client', () => {
    const { configure } = require(helper) as { configure(library: string, plugin: string): string };
    expect(configure(librdkafka, addonFile)).toBe('');
    expect(configure(second, addonFile)).toBe(
      `a second librdkafka is in this process: the packed addon works with ${librdkafkaVersion} only (plugin ${addonFile})`,
    );
  });

  it('is refused by load', async () => {
    const text = await node(`
      const stock = require(${JSON.stringify(path.join(stock, 'librdkafka.js'))});
      const addon = require(${JSON.stringify(addonFile)});
      console.log(addon.load(stock.path));
      require(${JSON.stringify(helper)}).configure(${JSON.stringify(second)}, ${JSON.stringify(addonFile)});
      try { addon.load(${JSON.stringify(second)}) } catch (e) { console.log(e.code, e.message) }`);
    expect(text).toBe(`${librdkafkaVersion}\n-173 a second librdkafka is in this process: the addon works with ${librdkafkaVersion}`);
  });
});
