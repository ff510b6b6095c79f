import type { Position } from '../core/expression.js';
import type { Serde } from '../core/serde.js';
import type { FormatSpec } from '../serdes/format-spec.js';
import { SerdeSet } from '../serdes/serde-set.js';
import type { Topology } from '../topology/topology.js';
import { type Diagnostic, Diagnostics } from './diagnostics.js';
import { unwritable, writeKey, writeValue } from './entry-bytes.js';
import type { Pipeline, StoreEntries, StoreEntry } from './model.js';

/**
 * Keys and values of tests that the formats of their stores cannot write; `topology` is the pipeline's, which alone knows the
 * formats of stores that steps bring along. A format of a schema registry is not asked: no registry is there to be asked.
 */
export function checkTestValues(pipeline: Pipeline, topology: Topology): Diagnostic[] {
  const diagnostics = new Diagnostics();
  const serdes = new SerdeSet(pipeline.formats);
  const serdeOf = (format: string): Serde<unknown> | undefined => (registered(pipeline.formats, format) ? undefined : serdes.get(format));
  for (const { preload, expectStores } of pipeline.tests) {
    for (const entries of [...preload, ...expectStores]) checkEntries(entries, pipeline, topology, serdeOf, diagnostics);
  }
  return diagnostics.sorted([]);
}

function checkEntries(
  { store, entries }: StoreEntries,
  pipeline: Pipeline,
  topology: Topology,
  serdeOf: (format: string) => Serde<unknown> | undefined,
  diagnostics: Diagnostics,
): void {
  const formats = topology.stores.get(store) ?? topology.globals.get(store);
  if (formats === undefined) return;
  const serdes = { key: serdeOf(formats.key), value: serdeOf(formats.value) };
  const attempt = (field: 'key' | 'value', entry: StoreEntry, position: Position, write: (serde: Serde<unknown>) => void): void => {
    const serde = serdes[field];
    if (serde === undefined) return;
    try {
      write(serde);
    } catch (error) {
      diagnostics.error(position, 'tests/format', unwritable(field, entry, store, serde, error), fixFor(field, store, pipeline));
    }
  };
  for (const entry of entries) {
    attempt('key', entry, entry.keyPosition, (serde) => writeKey(entry, serde));
    if (entry.value !== null) attempt('value', entry, entry.position, (serde) => writeValue(entry, serde));
  }
}

function fixFor(field: 'key' | 'value', store: string, { stores, tables }: Pipeline): string {
  const under = tables.some(({ name }) => name === store) ? 'tables' : stores.some(({ name }) => name === store) ? 'stores' : undefined;
  const format = under === undefined ? `the "${field}" format of the step's store` : `"${field}" of ${under}.${store}`;
  return `write a ${field} that the format can hold, or change ${format}`;
}

function registered(specs: ReadonlyMap<string, FormatSpec>, format: string): boolean {
  const spec = specs.get(format);
  if (spec?.format === 'windowed') return registered(specs, spec.inner);
  return spec !== undefined && 'subject' in spec && spec.subject !== undefined;
}
