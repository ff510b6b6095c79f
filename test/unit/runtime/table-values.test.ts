import avsc from 'avsc';
import { afterEach, describe, expect, test } from 'vitest';
import { RetriableError } from '../../../src/core/errors.js';
import { silentLogger } from '../../../src/core/logger.js';
import type { RegisteredSchema } from '../../../src/core/schema-registry.js';
import type { KeyValueStore, StoreType } from '../../../src/core/store.js';
import type { StateStore } from '../../../src/core/store-types.js';
import { CacheBudget } from '../../../src/runtime/cache-budget.js';
import { FILL, type TableStore } from '../../../src/runtime/tables/table-view.js';
import { TaskState } from '../../../src/runtime/task-state.js';
import type { SchemaSpec } from '../../../src/serdes/format-spec.js';
import { loadSchemaLanguages } from '../../../src/serdes/schema-languages.js';
import { SerdeSet } from '../../../src/serdes/serde-set.js';
import { memoryEngine } from '../../../src/stores/memory.js';
import { MemoryRegistry } from '../../../src/testing/memory-registry.js';

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

/** Is away when it is told to be, and counts what it is asked. */
class Registry extends MemoryRegistry {
  asked = 0;
  away = false;

  override async byId(id: number): Promise<RegisteredSchema | undefined> {
    this.asked++;
    if (this.away) throw new RetriableError('registry/unreachable', 'away');
    return super.byId(id);
  }
}

function framed(id: number, schema: string, value: unknown): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(id, 1);
  return Buffer.concat([head, avsc.Type.forSchema(JSON.parse(schema)).toBuffer(value)]);
}

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

await loadSchemaLanguages();

let state: TaskState | undefined;

afterEach(() => state?.close());

async function openTable(registry: Registry, type: StoreType): Promise<StateStore & TableStore> {
  const serdes = new SerdeSet(new Map([[VALUE.name, VALUE]]), registry);
  serdes.get(VALUE.name);
  await serdes.open();
  state = await TaskState.open({
    application: 'app',
    directory: '',
    stores: [{ name: 'customers', type, historyMs: 1000, engine: 'memory', key: 'string', value: VALUE.name, table: true }],
    engines: new Map([['memory', memoryEngine()]]),
    serdeFor: (format) => serdes.get(format),
    cache: new CacheBudget(1e6),
    logger: silentLogger,
  });
  return state.store('customers') as unknown as StateStore & TableStore;
}

describe.each<StoreType>(['key-value', 'timestamped', 'versioned'])('a %s table whose values name schemas of a registry', (type) => {
  test('is looked up when the schemas are there: each is asked for once', async () => {
    const registry = new Registry();
    const two = await registry.register('elsewhere', 'AVRO', { text: OTHER, references: new Map() });
    const one = await registry.register('customers-value', 'AVRO', { text: SCHEMA, references: new Map() });
    const table = await openTable(registry, type);
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
    const registry = new Registry();
    const two = await registry.register('elsewhere', 'AVRO', { text: OTHER, references: new Map() });
    await registry.register('customers-value', 'AVRO', { text: SCHEMA, references: new Map() });
    const table = await openTable(registry, type);
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
