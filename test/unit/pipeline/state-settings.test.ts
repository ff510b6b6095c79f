import { describe, expect, test } from 'vitest';
import { ConfigError } from '../../../src/core/errors.js';
import type { SingleStoreEngine, StoreEngine } from '../../../src/core/store.js';
import { formatDiagnostic } from '../../../src/pipeline/diagnostics.js';
import { loadPipeline } from '../../../src/pipeline/load.js';
import { check, processors, sound, withSteps } from './loading.js';

const HEAD = 'name: app\nkafka: h:9092\nfrom: orders\nto: out\n';
/** A file with one store on line 5, in column 15. */
const withStore = (store: string): string => `${HEAD}stores: { s: { ${store} } }\n`;

describe('a store’s changelog', () => {
  const changelogOf = async (text: string, env: Record<string, string> = {}) => (await sound(withStore(`changelog: ${text}`), env)).stores[0]?.changelog;

  test('is there unless it is false', async () => {
    expect(await changelogOf('false')).toBe(false);
    expect(await changelogOf('true')).toEqual({});
    expect((await sound(withStore(''))).stores[0]).toMatchObject({ changelog: {}, standby: 0 });
  });

  test('may come from a variable', async () => {
    expect(await changelogOf('"${KEPT:false}"').catch((error: Error) => error.message)).toContain('must be false, or a map');
    const file = `${HEAD}stores:\n  s:\n    changelog: \${KEPT:false}\n`;
    expect((await sound(file)).stores[0]?.changelog).toBe(false);
    expect((await sound(file, { KEPT: 'true' })).stores[0]?.changelog).toEqual({});
  });

  test('takes Kafka’s options as text, as they are written', async () => {
    const options =
      '{ cleanup.policy: compact, segment.bytes: "1048576", min.cleanable.dirty.ratio: 0.1, preallocate: true, compression.type: zstd, retention.ms: -1, flush.ms: , x-note: y }';
    expect(await changelogOf(options)).toEqual({
      'cleanup.policy': 'compact',
      'segment.bytes': '1048576',
      'min.cleanable.dirty.ratio': '0.1',
      preallocate: 'true',
      'compression.type': 'zstd',
      'retention.ms': '-1',
    });
  });

  test('stands at a step’s own store too, in any mix', async () => {
    const { flows } = await sound(withSteps('- count:', '  store: { standby: 1, changelog: { segment.ms: 60000 } }'));
    expect(flows[0]?.steps[0]?.store).toEqual({ standby: 1, changelog: { 'segment.ms': '60000' }, position: expect.anything() });
  });

  test.each([
    ['a list', 'changelog: [a]', '5:27: error schema/type: changelog must be false, or a map of options for its topic, not a list'],
    ['text', 'changelog: off', '5:27: error schema/type: changelog must be false, or a map of options for its topic, not text'],
    [
      'a misspelt option',
      'changelog: { cleanup.polcy: compact }',
      '5:29: error schema/unknown-key: unknown key "cleanup.polcy"; did you mean "cleanup.policy"?',
    ],
    [
      'the number of partitions',
      'changelog: { partitions: 3 }',
      '5:29: error changelog/option: "partitions" cannot be set: the input decides: a changelog has its number of partitions',
    ],
    [
      'the replication factor',
      'changelog: { replication.factor: 3 }',
      '5:29: error changelog/option: "replication.factor" cannot be set: the cluster decides, with default.replication.factor',
    ],
    [
      'a duration',
      'changelog: { delete.retention.ms: 14d }',
      '5:50: error schema/type: "delete.retention.ms" must be a whole number, not text\n  fix: delete.retention.ms: 1209600000',
    ],
    [
      'a size',
      'changelog: { segment.bytes: 64MiB }',
      '5:44: error schema/type: "segment.bytes" must be a whole number, not text\n  fix: segment.bytes: 67108864',
    ],
    ['a fraction', 'changelog: { segment.ms: 1.5 }', '5:41: error schema/type: "segment.ms" must be a whole number, not a number'],
    ['a word for a flag', 'changelog: { preallocate: yes }', '5:42: error schema/type: "preallocate" must be true or false, not text'],
    ['a number for a word', 'changelog: { compression.type: 4 }', '5:47: error schema/type: "compression.type" must be text, not a number'],
    ['a map', 'changelog: { segment.ms: { a: 1 } }', '5:41: error schema/type: "segment.ms" must be one value, not a map'],
    [
      'a policy without compact',
      'changelog: { cleanup.policy: delete }',
      '5:45: error changelog/cleanup-policy: without compact, the broker would remove values that the store still holds\n  fix: cleanup.policy: compact',
    ],
    [
      'a policy beside compact',
      'changelog: { cleanup.policy: "compact, delete" }',
      '5:45: error changelog/cleanup-policy: with another policy beside compact, the broker would remove values that the store still holds\n  fix: cleanup.policy: compact',
    ],
    [
      'copies without a changelog',
      'standby: 1, changelog: false',
      '5:16: error store/standby-without-changelog: a copy on another instance follows the changelog, and this store has none\n  fix: remove "changelog: false", or "standby"',
    ],
    ['fewer than no copies', 'standby: -1', '5:25: error schema/range: standby must be from 0 to 1000'],
    ['a copy in words', 'standby: one', '5:25: error schema/type: standby must be a whole number, not text'],
  ])('check names %s', async (_what, store, said) => {
    expect(await check(withStore(store))).toEqual([said]);
  });

  test('copies of a step that keeps no state are refused', async () => {
    expect(await check(withSteps('- filter: value.a', '  store: { standby: 1 }'))).toEqual(['5:5: error step/setting: "store" means nothing on "filter"']);
  });

  test('no copies are asked for by standby: 0, which needs no changelog', async () => {
    expect((await sound(withStore('standby: 0, changelog: false'))).stores[0]).toMatchObject({ standby: 0, changelog: false });
  });
});

describe('outputs to internal topics', () => {
  test.each([
    ['a changelog', withSteps('- count').replace('to: out', 'to: app-main-count-changelog'), '6:5', 'app-main-count-changelog'],
    ['a declared store’s changelog', withStore('').replace('to: out', 'to: [out, app-s-changelog]'), '4:11', 'app-s-changelog'],
    ['a repartition topic', withSteps('- keyBy: value.a', '- count').replace('to: out', 'to: app-main-keyBy-repartition'), '7:5', 'app-main-keyBy-repartition'],
    ['the dead letters', `${withSteps('- count')}deadLetter: app-main-count-changelog\n`, '1:7', 'app-main-count-changelog'],
  ])('%s is refused', async (_what, file, at, topic) => {
    expect(await check(file)).toEqual([`${at}: error topic/internal: "${topic}" is an internal topic of this file, which only its own step may write`]);
  });
});

describe('guarantee: exactly-once', () => {
  const file = (...lines: string[]): string => ['name: app', 'from: orders', 'to: out', 'guarantee: exactly-once', ...lines, ''].join('\n');
  const KAFKA = 'kafka: { brokers: "h:1", client: {';

  test('commits every 100 ms unless told otherwise (C1)', async () => {
    const pipeline = await sound(file('kafka: h:1'));
    expect(pipeline).toMatchObject({ guarantee: 'exactly-once', commit: { intervalMs: 100, flushMs: 1000 }, kafka: { transactionTimeoutMs: 60_000 } });
    expect((await sound(file('kafka: h:1', 'commit: { interval: 0ms, flush: 3s }'))).commit).toMatchObject({ intervalMs: 0, flushMs: 3000 });
  });

  test('transaction.timeout.ms stays a property of the client, and is known', async () => {
    for (const written of ['5000', '"5000"']) {
      const { kafka } = await sound(file(`${KAFKA} transaction.timeout.ms: ${written} } }`));
      expect(kafka.transactionTimeoutMs).toBe(5000);
      expect(String(kafka.client['transaction.timeout.ms'])).toBe('5000');
    }
  });

  test.each([
    [
      'the consumer protocol (C3)',
      [`${KAFKA} group.protocol: consumer } }`],
      '5:52: error guarantee/group-protocol: exactly-once is not yet proven with the consumer protocol, so it needs the classic one\n  fix: group.protocol: classic',
    ],
    [
      'a commit interval that outlives half of the transaction timeout (C3)',
      ['kafka: h:1', 'commit: { interval: 31s }'],
      '6:21: error guarantee/commit-interval: with exactly-once a transaction is open from one commit to the next, and must end within half of "transaction.timeout.ms", which is 60000\n  fix: interval: 30000ms, or less',
    ],
    [
      'a transaction timeout in words',
      [`${KAFKA} transaction.timeout.ms: 1m } }`],
      '5:60: error schema/range: "transaction.timeout.ms" must be a whole number from 1000 to 2147483647',
    ],
    [
      'a transaction timeout that librdkafka refuses',
      [`${KAFKA} transaction.timeout.ms: 999 } }`],
      '5:60: error schema/range: "transaction.timeout.ms" must be a whole number from 1000 to 2147483647',
    ],
    [
      'a store that a restart empties',
      ['kafka: h:1', 'stores: { s: { engine: memory, changelog: false } }'],
      '6:24: warning store/volatile: without a changelog this store is empty after a restart, which exactly-once does not cover\n  fix: remove "changelog: false"',
    ],
  ])('check names %s', async (_what, lines, said) => {
    expect(await check(file(...lines))).toEqual([said]);
  });

  test('nothing is said where the guarantee is at-least-once, or the setting harmless', async () => {
    const text = file(`${KAFKA} group.protocol: consumer } }`, 'commit: { interval: 31s }', 'stores: { s: { engine: memory, changelog: false } }');
    expect(await check(text.replace('exactly-once', 'at-least-once'))).toEqual([]);
    expect(await check(file(`${KAFKA} group.protocol: classic } }`, 'commit: { interval: 30s }', 'stores: { s: { engine: memory } }'))).toEqual([]);
  });
});

describe('engines of plugins', () => {
  const separate: SingleStoreEngine = { persistent: true, open: () => Promise.reject(new Error('not opened here')) };
  const together: StoreEngine = { persistent: true, openTask: () => Promise.reject(new Error('not opened here')) };
  const engines = new Map<string, StoreEngine>([
    ['pkg#separate', separate],
    ['pkg#together', together],
    ['pkg#fleeting', { ...separate, persistent: false }],
  ]);

  async function said(text: string): Promise<string[]> {
    const { diagnostics } = await loadPipeline(['p.yaml'], {
      env: {},
      processors,
      formats: ['string', 'json', 'int64'],
      resolvePlugin: (specifier) => Promise.reject(new Error(specifier)),
      resolveStoreEngine: async (specifier) =>
        engines.get(specifier) ?? Promise.reject(new ConfigError('plugin/not-found', `no ${specifier}`, { fix: 'find it' })),
      readFile: async () => text,
    });
    return diagnostics.map((one) => formatDiagnostic(one).replace(/^p\.yaml:/, ''));
  }

  test('are loaded by check, of stores and of steps', async () => {
    expect(await said(withStore('engine: pkg#gone'))).toEqual(['5:24: error plugin/not-found: no pkg#gone\n  fix: find it']);
    expect(await said(withSteps('- count:', '  store: { engine: pkg#gone }'))).toEqual(['5:22: error plugin/not-found: no pkg#gone\n  fix: find it']);
  });

  test('exactly-once without a changelog needs one atomic write of all stores', async () => {
    const once = (store: string): Promise<string[]> => said(`${withStore(store)}guarantee: exactly-once\n`);
    expect(await once('engine: pkg#separate, changelog: false')).toEqual([
      '5:24: error store/engine-guarantee: exactly-once without a changelog needs an engine that writes all stores of a task in one step, and "pkg#separate" has no openTask\n  fix: remove "changelog: false"',
    ]);
    expect(await once('engine: pkg#fleeting, changelog: false')).toEqual([expect.stringContaining('5:24: warning store/volatile: ')]);
    expect(await once('engine: pkg#together, changelog: false')).toEqual([]);
    expect(await once('engine: pkg#separate')).toEqual([]);
    expect(await said(withStore('engine: pkg#separate, changelog: false'))).toEqual([]);
  });
});
