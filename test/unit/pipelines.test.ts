import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { loadApplication } from '../../src/daemon/load.js';
import { formatDiagnostic } from '../../src/pipeline/diagnostics.js';
import type { Pipeline } from '../../src/pipeline/model.js';
import { runTest } from '../../src/testing/pipeline-tests.js';
import { reportOf } from '../../src/testing/test-report.js';

const folder = new URL('../../pipelines/', import.meta.url).pathname;
const files = readdirSync(folder).filter((file) => file.endsWith('.yaml'));

describe.each(files)('pipelines/%s', (file) => {
  const loaded = loadApplication([`${folder}${file}`], {});

  test('is sound, and has tests of its own', async () => {
    const { pipeline, diagnostics } = await loaded;
    expect(diagnostics.map(formatDiagnostic)).toEqual([]);
    expect(pipeline?.name).toBe(file.replace('.yaml', ''));
    expect(pipeline?.tests).not.toEqual([]);
  }, 60_000);

  test('passes its tests, in batches and record by record (B3)', async () => {
    const { pipeline } = await loaded;
    for (const one of pipeline?.tests ?? []) expect(reportOf(await runTest(pipeline as Pipeline, one))).toBe(`ok    ${one.name}\n`);
  }, 60_000);
});
