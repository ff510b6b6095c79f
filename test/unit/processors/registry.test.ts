import { readdirSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isProcessorDefinition } from '../../../src/core/processor.js';
import { compile } from '../../../src/pipeline/compile.js';
import { formatDiagnostic } from '../../../src/pipeline/diagnostics.js';
import { loadPipeline } from '../../../src/pipeline/load.js';
import { resolvePlugin } from '../../../src/pipeline/plugins.js';
import { builtinProcessors } from '../../../src/processors/registry.js';
import { formatNames } from '../../../src/serdes/formats.js';

const folder = new URL('../../../src/processors/', import.meta.url);
const files = readdirSync(folder).filter((file) => file !== 'registry.ts');

describe('src/processors', () => {
  test('the folder listing is the feature list', () => {
    expect([...builtinProcessors.keys()].sort()).toEqual(files.map((file) => basename(file, '.ts')).sort());
  });

  test.each(files)('%s holds one processor, with its docs and an example that uses it and compiles', async (file) => {
    const operation = basename(file, '.ts');
    const { default: definition } = await import(new URL(file, folder).href);
    expect(isProcessorDefinition(definition)).toBe(true);
    expect(builtinProcessors.get(operation)).toBe(definition);
    expect(definition.summary).toMatch(/^[A-Z].*\.$/);
    expect(definition.docs).toBeTruthy();
    const example = new URL('../../../pipelines/example.yaml', import.meta.url).pathname;
    const { pipeline, diagnostics } = await loadPipeline([example], {
      env: {},
      processors: builtinProcessors,
      formats: formatNames,
      resolvePlugin,
      readFile: async () => `name: example\nkafka: localhost:9092\n${definition.example.trim()}\n`,
    });
    expect(diagnostics.map(formatDiagnostic)).toEqual([]);
    if (!pipeline) throw new Error('no pipeline');
    expect(pipeline.flows.flatMap(({ steps }) => steps.map((step) => step.operation))).toContain(operation);
    expect(compile(pipeline).subtopologies).not.toEqual([]);
  });
});
