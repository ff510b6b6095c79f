import { afterEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../../../src/core/logger.js';
import type { KeyValueStore, StoreType } from '../../../src/core/store.js';
import type { StateStore } from '../../../src/core/store-types.js';
import { CacheBudget } from '../../../src/runtime/cache-budget.js';
import { FILL, type TableStore } from '../../../src/runtime/tables/table-view.js';
import { TaskState, type TaskStateOptions } from '../../../src/runtime/task-state.js';
import type { SchemaSpec } from '../../../src/serdes/format-spec.js';
import { serdeFor } from '../../../src/serdes/formats.js';
import { loadSchemaLanguages } from '../../../src/serdes/schema-languages.js';
import { SerdeSet } from '../../../src/serdes/serde-set.js';
import { memoryEngine } from '../../../src/stores/memory.js';
import { framed, MoodyRegistry, plain, text } from '../serdes/moody-registry.js';

const SCHEMA = JSON.stringify({ type: 'record', name: 'Customer', fields: [{ name: 'name', type: 'string' }] });
const OTHER = JSON.stringify({
  type: 'record',
  name: 'Customer',
  fields: [
    { name: 'name', type: 'string' },
    { name: 'age', type: 'int' },
  ],
});
const VALUE: SchemaSpec = { format: 'avro', name: 'customers', schema: undefined, subject: 'customers-value', message: undefined, bigint: false };

await loadSchemaLanguages();

let state: TaskState | undefined;

afterEach(() => state?.close());

async function openTable(type: StoreType, value: string, formatOf: TaskStateOptions['serdeFor']): Promise<StateStore & TableStore> {
  state = await TaskState.open({
    application: 'app',
    directory: '',
    stores: [{ name: 'customers', type, historyMs: 1000, engine: 'memory', key: 'string', value, table: true }],
    engines: new Map([['memory', memoryEngine()]]),
    serdeFor: formatOf,
    cache: new CacheBudget(1e6),
    logger: silentLogger,
  });
  return state.store('customers') as unknown as StateStore & TableStore;
}

async function openFramed(registry: MoodyRegistry, type: StoreType): Promise<StateStore & TableStore> {
  const serdes = new SerdeSet(new Map([[VALUE.name, VALUE]]), registry);
  serdes.get(VALUE.name);
  await serdes.open();
  return openTable(type, VALUE.name, (format) => serdes.get(format));
}

test('a step that writes a table is stopped', async () => {
  const table = (await openTable('key-value', 'json', serdeFor)) as unknown as KeyValueStore;
  for (const write of [
    () => table.put('a', 1),
    () => table.putIfAbsent('a', 1),
    () => table.delete('a'),
    () => table.setBatch([['a', 1]]),
    () => table.deleteBatch(['a']),
  ])
    expect(write).toThrow(expect.objectContaining({ code: 'table/read-only' }));
  expect(table.get('a')).toBeNull();
});

test('a key that is not in its format is the fault of the record that meets it', async () => {
  const table = await openTable('key-value', 'json', (format) => serdeFor(format === 'string' ? 'int32' : format));
  table[FILL]('abc', Buffer.from('1'), 10);
  const first = (table as unknown as KeyValueStore).all()[Symbol.asyncIterator]().next();
  await expect(first).rejects.toMatchObject({
    code: 'table/format',
    stage: 'process',
    message: expect.stringContaining('the table "customers" has a key that is not int32'),
  });
});

describe.each<StoreType>(['key-value', 'timestamped', 'versioned'])('a %s table whose values name schemas of a registry', (type) => {
  test('is looked up when the schemas are there: each is asked for once', async () => {
    const registry = new MoodyRegistry();
    const two = await registry.register('elsewhere', 'AVRO', text(OTHER));
    const one = await registry.register('customers-value', 'AVRO', text(SCHEMA));
    const table = await openFramed(registry, type);
    table[FILL]('a', framed(one, SCHEMA, { name: 'Ada' }), 10);
    table[FILL]('b', framed(two, OTHER, { name: 'Bob', age: 5 }), 10);
    table[FILL]('c', null, 10);
    const shown = (found: any): unknown => found && plain(type === 'key-value' ? found : found.value);
    const look = async (): Promise<unknown[]> => (await (table.getBatch as (keys: string[]) => unknown[])(['a', 'b', 'c', 'x', 'b'])).map(shown);
    expect(await look()).toEqual([{ name: 'Ada' }, { name: 'Bob' }, null, null, { name: 'Bob' }]);
    expect(await look()).toEqual([{ name: 'Ada' }, { name: 'Bob' }, null, null, { name: 'Bob' }]);
    expect(registry.asked).toBe(1); // ours was known from the start
  });

  test('waits for a registry that is away, and fails the record for a schema that is nowhere', async () => {
    const registry = new MoodyRegistry();
    const two = await registry.register('elsewhere', 'AVRO', text(OTHER));
    await registry.register('customers-value', 'AVRO', text(SCHEMA));
    const table = await openFramed(registry, type);
    const getBatch = table.getBatch as (keys: string[]) => unknown;
    table[FILL]('b', framed(two, OTHER, { name: 'Bob', age: 5 }), 10);
    registry.away = true;
    await expect(getBatch(['b'])).rejects.toMatchObject({ code: 'registry/unreachable' });
    expect(() => (table as unknown as KeyValueStore).get('b')).toThrow(expect.objectContaining({ code: 'table/schema-needed' }));
    registry.away = false;
    await new Promise((resolve) => setImmediate(resolve));
    expect(await getBatch(['b'])).toHaveLength(1);
    table[FILL]('n', framed(99, SCHEMA, { name: 'Nobody' }), 10);
    await expect(getBatch(['n'])).rejects.toMatchObject({ code: 'table/format', stage: 'process' });
  });
});
