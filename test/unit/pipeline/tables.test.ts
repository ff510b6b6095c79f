import { describe, expect, test } from 'vitest';
import { compile } from '../../../src/pipeline/compile.js';
import { formatDiagnostic } from '../../../src/pipeline/diagnostics.js';
import { loadPipeline } from '../../../src/pipeline/load.js';
import type { Pipeline } from '../../../src/pipeline/model.js';
import { builtinProcessors } from '../../../src/processors/registry.js';
import { formatNames } from '../../../src/serdes/formats.js';
import type { Topology } from '../../../src/topology/topology.js';

const HEAD = 'name: app\nkafka: h:9092\n';

const AROUND = { env: {}, processors: builtinProcessors, formats: formatNames, resolvePlugin: () => Promise.reject(new Error('no plugins here')) };

async function load(text: string) {
  return loadPipeline(['p.yaml'], { ...AROUND, readFile: async () => HEAD + text });
}

async function check(text: string): Promise<string[]> {
  return (await load(text)).diagnostics.map((one) => formatDiagnostic(one).replace(/^p\.yaml:/, ''));
}

async function sound(text: string): Promise<Pipeline> {
  const { pipeline, diagnostics } = await load(text);
  if (pipeline === undefined) throw new Error(diagnostics.map(formatDiagnostic).join('\n'));
  return pipeline;
}

const topologyOf = async (text: string): Promise<Topology> => compile(await sound(text));

/** Line 3 declares the table, line 6 is the step's first. */
const joining = (table: string, ...step: string[]): string =>
  `tables: ${table}\nfrom: orders\nsteps:\n${step.map((line, i) => `  ${i === 0 ? '- ' : '  '}${line}`).join('\n')}\nto: out\n`;

const CUSTOMERS = '{ customers: crm.customers }';

describe('tables:', () => {
  test('in short and long form, with names from topics', async () => {
    const { tables } = await sound(
      [
        'topics: { people: { topic: crm.customers, key: int64, timestamp: skip-invalid, start: latest } }',
        'tables:',
        '  customers: people',
        '  prices: { topic: shop.prices, key: bytes, value: int64, type: versioned, history: 7d, engine: memory, standby: 1 }',
        '  countries: { topic: ref, global: true, value: string }',
        '  rates:',
        'from: orders',
        'steps: [{ join: countries, by: value.c, as: country }]',
        'to: out\n',
      ].join('\n'),
    );
    const shown = tables.map(({ name, global, type, historyMs, engine, standby, input: { topic, key, value, start, timestamp } }) => ({
      name,
      global,
      type,
      historyMs,
      engine,
      standby,
      input: [topic, key, value, start, timestamp],
    }));
    const usual = { global: false, type: 'key-value', historyMs: undefined, engine: 'leveldb', standby: 0 };
    expect(shown).toEqual([
      { ...usual, name: 'customers', input: ['crm.customers', 'int64', 'json', 'earliest', 'skip-invalid'] },
      {
        ...usual,
        name: 'prices',
        type: 'versioned',
        historyMs: 604_800_000,
        engine: 'memory',
        standby: 1,
        input: ['shop.prices', 'bytes', 'int64', 'earliest', 'record'],
      },
      { ...usual, name: 'countries', global: true, input: ['ref', 'string', 'string', 'earliest', 'record'] },
      { ...usual, name: 'rates', input: ['rates', 'string', 'json', 'earliest', 'record'] },
    ]);
  });

  test.each([
    ['a misspelt key', '{ a: { topc: t } }', '3:16: error schema/unknown-key: unknown key "topc"; did you mean "topic"?'],
    [
      'a type that a table cannot have',
      '{ a: { topic: t, type: window } }',
      '3:32: error schema/enum: type cannot be "window"; it is key-value, timestamped or versioned',
    ],
    ['versioned without history', '{ a: { topic: t, type: versioned } }', '3:14: error schema/required: a versioned table needs "history"\n  fix: history: 7d'],
    [
      'history without versions',
      '{ a: { topic: t, history: 1d } }',
      '3:26: error store/setting: "history" means nothing for a key-value table; it is for versioned ones\n  fix: type: versioned',
    ],
    [
      'a setting of local tables on a global one',
      '{ a: { topic: t, global: true, standby: 1 } }',
      '3:40: error store/setting: "standby" means nothing for the global table "a", which every instance reads whole\n  fix: remove "standby", or "global"',
    ],
    [
      'times that no restore can find',
      '{ a: { topic: t, type: timestamped, timestamp: wall-clock } }',
      '3:56: error table/timestamp: a timestamped table is restored from its topic, which does not have the times of "wall-clock"\n  fix: timestamp: record',
    ],
    ['a name that is no topic’s', '{ a: "b c" }', '3:14: error schema/name: the name of a topic may have letters, digits, ".", "_" and "-" only, 249 at most'],
    [
      'one topic for two tables',
      '{ a: t, b: t }',
      '3:20: error table/twice: "t" feeds another table already; a topic feeds one, which several joins can use\n  fix: remove "b", and join the other',
    ],
  ])('%s', async (_name, table, said) => {
    expect(await check(`tables: ${table}\nfrom: orders\nto: out\n`)).toEqual([said]);
  });

  test('a name that a store has too', async () => {
    const text = 'stores: { a: {} }\ntables: { a: t }\nfrom: orders\nsteps: [{ count: , store: a }]\nto: { topic: out, value: int64 }\n';
    expect(await check(text)).toEqual(['4:11: error store/conflict: "a" is a store under "stores" too, on line 3\n  fix: rename one of the two']);
    const implied = 'tables: { main-count: t }\nfrom: orders\nsteps: [count]\nto: { topic: out, value: int64 }\n';
    expect(await check(implied)).toEqual(['3:11: error store/conflict: the store of the step "count" is named "main-count" too\n  fix: rename the table']);
  });

  test('a topic that a flow reads in another way', async () => {
    const text = `tables: ${CUSTOMERS}\nfrom: { topic: crm.customers, value: string }\nsteps: [{ join: customers, as: c }]\nto: out\n`;
    expect(await check(text)).toEqual(['4:16: error from/conflict: "crm.customers" is read with another value format on line 3; a topic is read in one way']);
  });

  test('the dead letter topic as a table', async () => {
    expect(await check(`deadLetter: dlq\n${joining('{ a: dlq }', 'join: a', 'as: x')}`)).toEqual([
      expect.stringMatching(/^4:14: error flow\/dead-letter-loop: /),
    ]);
  });

  test('a later file says more about a table in short form', async () => {
    const texts: Record<string, string> = { 'p.yaml': `${HEAD}tables: { a: t }\nfrom: orders\nto: out\n`, 'q.yaml': 'tables: { a: { engine: memory } }\n' };
    const { pipeline } = await loadPipeline(['p.yaml', 'q.yaml'], { ...AROUND, readFile: async (path) => texts[path] as string });
    expect(pipeline?.tables).toMatchObject([{ name: 'a', engine: 'memory', input: { topic: 't' } }]);
  });

  test('tests may send to the topic of a table and look into it', async () => {
    const tests =
      'tests:\n  - name: t\n    send: { crm.customers: [{ key: a, value: 1 }], orders: [{ key: a, value: {} }] }\n    expectStores: { customers: { a: 1 } }\n';
    expect(await check(joining(CUSTOMERS, 'join: customers', 'as: c') + tests)).toEqual([]);
  });
});

describe('join', () => {
  test.each([
    ['a misspelt table', ['join: custmers', 'as: c'], '6:11: error join/unknown: no table "custmers"; did you mean "customers"?'],
    [
      'another stream without a bound',
      ['join: purchases', 'as: p'],
      '6:11: error join/needs-within: "purchases" is not a declared table, so this is a stream-stream join and needs "within"',
    ],
    [
      'another flow',
      ['join: flow:x', 'as: p'],
      '6:11: error join/needs-within: "flow:x" is not a declared table, so this is a stream-stream join and needs "within"',
    ],
    [
      'a join of two streams',
      ['join: purchases', 'as: p', 'within: 10m'],
      '8:5: error schema/not-yet: "within" is part of the language but not of this version',
    ],
    ['no as', ['join: customers'], '6:5: error step/options: "as" is missing from the options of "join"'],
    ['nothing', ['join:', 'as: c'], '6:10: error step/options: "join" must be text'],
    ['an outer join', ['join: customers', 'as: c', 'kind: outer'], '8:11: error step/options: "kind" cannot be "outer"; it is inner or left'],
    [
      'by on a local table',
      ['join: customers', 'as: c', 'by: value.id'],
      '8:5: error join/by: the keys of "customers" lie with the records of their own key only, so no other can be looked up\n  fix: a step "keyBy" before the join, or "global: true" on the table',
    ],
    ['a misspelt setting', ['join: customers', 'as: c', 'knd: left'], '8:5: error schema/unknown-key: unknown key "knd"; did you mean "kind"?'],
    [
      'an expression that is none',
      ['join: customers', 'as: c', 'if: vlaue.x'],
      '8:9: error expr/unknown-name: "vlaue" is not defined here; did you mean "value"?',
    ],
  ])('%s', async (_name, step, said) => {
    expect(await check(joining(CUSTOMERS, ...step))).toEqual([said]);
  });

  test('settings of a join mean nothing elsewhere, and others nothing on a join', async () => {
    expect(await check(joining(CUSTOMERS, 'filter: value', 'as: x'))).toEqual(['7:5: error step/setting: "as" means nothing on "filter"']);
    expect(await check(joining(CUSTOMERS, 'join: customers', 'as: c', 'emit: update'))).toEqual(['8:5: error step/setting: "emit" means nothing on "join"']);
  });

  test('a declared store, and one that has no value of a key alone', async () => {
    const stores = (type: string): string =>
      `stores: { counts: { value: int64${type} } }\nfrom: orders\nsteps:\n  - join: counts\n    as: c\n  - count:\n    store: counts\nto: { topic: out, value: int64 }\n`;
    expect((await sound(stores(''))).flows[0]?.steps[0]?.joined).toEqual({ name: 'counts', type: 'key-value', key: 'string', global: false });
    const window = await check('stores: { w: { type: window, retention: 1d, size: 1m } }\nfrom: orders\nsteps: [{ join: w, as: c }]\nto: out\n');
    expect(window).toEqual([expect.stringMatching(/^5:17: error store\/type: "w" is a window store/)]);
  });

  test('two of them in a flow need no names: they keep no state of their own', async () => {
    const text = 'tables: { a: ta, b: tb }\nfrom: orders\nsteps: [{ join: a, as: a }, { join: b, as: b }]\nto: out\n';
    expect([...(await topologyOf(text)).nodes.keys()]).toEqual([
      'from-ta',
      'table-a',
      'from-tb',
      'table-b',
      'from-orders',
      'main-join',
      'main-join-2',
      'main-to-out',
    ]);
  });

  test('keys of another format would never be found', async () => {
    const wrong = topologyOf(joining('{ a: { topic: t, key: int64 } }', 'join: a', 'as: x'));
    await expect(wrong).rejects.toMatchObject({
      code: 'join/key-format',
      message: 'p.yaml:6:5: the records have string keys here, and "a" has int64 ones, so no key would be found',
      fix: 'key: int64 in "from", where the topic has such keys, or key: string for "a"',
    });
    await expect(topologyOf(joining('{ a: { topic: t, key: int64, global: true } }', 'join: a', 'as: x'))).rejects.toMatchObject({ code: 'join/key-format' });
    await topologyOf(joining('{ a: { topic: t, key: int64, global: true } }', 'join: a', 'by: value.n', 'as: x'));
  });
});

describe('the topology of a join', () => {
  test('S5: the table’s topic is its changelog; a node of its own fills it, in the sub-topology of the stream', async () => {
    const topology = await topologyOf(joining('{ customers: { topic: crm.customers, type: versioned, history: 1h, standby: 2 } }', 'join: customers', 'as: c'));
    expect(topology.subtopologies).toMatchObject([
      {
        topics: ['crm.customers', 'orders'],
        stores: ['customers'],
        directory: 'customers',
        nodes: ['from-crm.customers', 'table-customers', 'from-orders', 'main-join', 'main-to-out'],
      },
    ]);
    expect(topology.stores.get('customers')).toEqual({
      name: 'customers',
      type: 'versioned',
      historyMs: 3_600_000,
      engine: 'leveldb',
      key: 'string',
      value: 'json',
      standby: 2,
      changelog: { topic: 'crm.customers', config: {} },
      table: true,
    });
    expect(topology.repartitions).toEqual([]);
  });

  test('a table that is joined later does not rename the state that was there', async () => {
    const topology = await topologyOf(`tables: ${CUSTOMERS}\nfrom: orders\nsteps: [{ join: customers, as: c }, count]\nto: { topic: out, value: int64 }\n`);
    expect(topology.subtopologies).toMatchObject([{ directory: 'main-count', stores: ['customers', 'main-count'] }]);
  });

  test('keyBy before a join goes through a topic; before that of a global table it does not', async () => {
    const steps = 'from: orders\nsteps: [{ keyBy: value.who }, { join: customers, as: c }]\nto: out\n';
    expect((await topologyOf(`tables: ${CUSTOMERS}\n${steps}`)).repartitions).toMatchObject([{ topic: 'app-main-keyBy-repartition' }]);
    const global = await topologyOf(`tables: { customers: { topic: t, global: true } }\n${steps}`);
    expect(global.repartitions).toEqual([]);
    expect(global.globals.get('customers')).toEqual({ name: 'customers', topic: 't', engine: 'leveldb', key: 'string', value: 'json' });
    expect(global.subtopologies).toMatchObject([{ stores: [], topics: ['orders'] }]);
  });

  test('a table that no step joins is kept all the same: it can be asked', async () => {
    const topology = await topologyOf(`tables: ${CUSTOMERS}\nfrom: orders\nto: out\n`);
    expect(topology.subtopologies.map(({ topics }) => topics)).toEqual([['crm.customers'], ['orders']]);
  });
});
