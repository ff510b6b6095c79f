import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { StoreEngine } from '../../src/core/store.js';
import { storeEngines } from '../../src/daemon/store-engines.js';
import { compile } from '../../src/pipeline/compile.js';
import { formatDiagnostic } from '../../src/pipeline/diagnostics.js';
import { loadPipeline } from '../../src/pipeline/load.js';
import type { Pipeline, PipelineTest, TestRecord } from '../../src/pipeline/model.js';
import { resolvePartitioner, resolvePlugin, resolveStoreEngine } from '../../src/pipeline/plugins.js';
import { builtinProcessors } from '../../src/processors/registry.js';
import { formatNames } from '../../src/serdes/formats.js';
import { SerdeSet } from '../../src/serdes/serde-set.js';
import { memoryEngine } from '../../src/stores/memory.js';
import { MemoryRegistry } from '../../src/testing/memory-registry.js';
import { encodeSample, openForSamples } from '../../src/testing/sample-records.js';
import { type DriverOutput, TopologyDriver } from '../../src/testing/topology-driver.js';
import type { Topology } from '../../src/topology/topology.js';

const folder = new URL('../../pipelines/', import.meta.url).pathname;
const files = readdirSync(folder).filter((file) => file.endsWith('.yaml'));

describe.each(files)('pipelines/%s', (file) => {
  const loaded = loadPipeline([`${folder}${file}`], {
    env: {},
    processors: builtinProcessors,
    formats: formatNames,
    resolvePlugin,
    resolvePartitioner,
    resolveStoreEngine,
  });

  test('is sound, and has tests of its own', async () => {
    const { pipeline, diagnostics } = await loaded;
    expect(diagnostics.map(formatDiagnostic)).toEqual([]);
    expect(pipeline?.name).toBe(file.replace('.yaml', ''));
    expect(pipeline?.tests).not.toEqual([]);
  });

  test('passes its tests in batches', async () => {
    const { pipeline } = await loaded;
    for (const one of pipeline?.tests ?? []) await run(pipeline as Pipeline, one, {});
  });

  test('passes its tests record by record where no step emits by batch (B3)', async () => {
    const { pipeline } = await loaded;
    const byBatch = pipeline?.flows.some(({ steps }) => steps.some(({ operation, emit }) => operation === 'count' && emit === 'batch'));
    for (const one of byBatch ? [] : (pipeline?.tests ?? [])) await run(pipeline as Pipeline, one, { batchSize: 1 });
  });
});

async function run(pipeline: Pipeline, { send, expect: expected, expectStores }: PipelineTest, options: { batchSize?: number }): Promise<void> {
  const serdes = new SerdeSet(pipeline.formats, new MemoryRegistry());
  const topology = compile(pipeline, { serdes });
  const sent = send.flatMap((item) => ('records' in item ? [item.topic] : []));
  await openForSamples(pipeline, sent, serdes);
  const { onError, deadLetter } = pipeline;
  const engines = await enginesOf(topology, pipeline);
  const driver = await TopologyDriver.open(topology, { ...options, engines, serdes, onError, ...(deadLetter !== undefined && { deadLetter }) });
  for (const item of send) {
    if ('advanceMs' in item) await driver.advance(item.advanceMs);
    else
      driver.send(
        item.topic,
        item.records.flatMap((record) => encodeSample(pipeline, item.topic, record, driver.clock.now(), serdes)),
      );
  }
  await driver.settle();
  for (const [topic, wanted] of Object.entries(expected)) {
    const got = driver.output(topic);
    if ('count' in wanted) expect(got, topic).toHaveLength(wanted.count);
    else
      expect(
        got.map((output, i) => shown(output, wanted.records[i], topology)),
        topic,
      ).toEqual(wanted.records);
  }
  for (const [store, entries] of Object.entries(expectStores)) {
    for (const [key, value] of Object.entries(entries)) expect(driver.store(store).get(key), `${store} ${key}`).toEqual(value);
  }
  await driver.close();
}

/** Built-in engines in memory; those of plugins as they are. */
async function enginesOf(topology: Topology, { position }: Pipeline): Promise<ReadonlyMap<string, StoreEngine>> {
  const names = new Set([...topology.stores.values(), ...topology.globals.values()].map(({ engine }) => engine));
  const engines = [...names].map(async (name) => [name, storeEngines.has(name) ? memoryEngine() : await resolveStoreEngine(name, position.file)] as const);
  return new Map(await Promise.all(engines));
}

/** An output with the fields that a test asks for, decoded. */
function shown({ topic, key, value, headers }: DriverOutput, wanted: TestRecord | undefined, topology: Topology): TestRecord {
  const sink = [...topology.nodes.values()].find((node) => node.kind === 'sink' && 'topic' in node.to && node.to.topic === topic);
  const formats = sink?.kind === 'sink' ? sink : undefined;
  const names = Object.keys(wanted?.headers ?? {});
  return {
    ...(wanted?.key !== undefined && { key: key && (formats ? formats.key.deserialize(key) : String(key)) }),
    ...(wanted?.raw === undefined ? { value: value && formats?.value.deserialize(value) } : { raw: String(value) }),
    ...(names.length > 0 && { headers: Object.fromEntries(headers.filter((one) => names.includes(one.key)).map((one) => [one.key, String(one.value)])) }),
  };
}
