import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadApplication } from '../../../src/daemon/load.js';
import { formatDiagnostic } from '../../../src/pipeline/diagnostics.js';
import type { Pipeline } from '../../../src/pipeline/model.js';
import { runTest } from '../../../src/testing/pipeline-tests.js';
import { reportOf } from '../../../src/testing/test-report.js';

/** Plugins that the pipelines here use. */
const PLUGINS = `
/** What the stores have under the record's key. */
export class Look {
  init(context) { this.context = context; }
  async process(record) {
    const found = {};
    const all = async (entries) => {
      const list = [];
      for await (const entry of entries) list.push(entry);
      return list;
    };
    for (const name of ['plain', 'aging', 'timed', 'versions', 'windows', 'sessions']) {
      const store = this.context.store(name);
      if (store.fetchSession) found[name] = (await all(store.fetch(record.key))).map(([{ start, end }, value]) => [start, end, value]);
      else if (store.fetchAll) found[name] = await all(store.fetch(record.key, 0, 1e15));
      else found[name] = store.get(record.key);
    }
    this.context.forward(record.withValue(found));
  }
}
export class Broken {
  process() { throw new Error('out of order'); }
}
/** Looks into its store when it is set up. */
export class Early {
  init(context) { this.context = context; this.seen = context.store('plain').get('a'); }
  process(record) { this.context.forward(record.withValue(this.seen)); }
}
/** Tells the time at each wall-clock deadline. */
export class Ticks {
  init(context) { context.schedule(60_000, 'wall-clock', (now) => context.forward({ key: 'tick', value: now, timestamp: now, headers: [] })); }
  process() {}
}
/** Gives other results in other batches, which no step may. */
export class Sizes {
  init(context) { this.context = context; }
  processBatch({ records }) { this.context.forwardBatch(records.map((record) => record.withValue(records.length))); }
}
`;

/** The pipeline of a text, whose lines have no `name` and no `kafka`; throws what is wrong with it. */
export async function pipelineOf(text: string): Promise<Pipeline> {
  const { file, pipeline, said } = await loaded(text);
  if (pipeline === undefined) throw new Error(said.join('\n').replaceAll(file, 'p.yaml'));
  return pipeline;
}

/** What `check` says of it. */
export async function saidOf(text: string): Promise<string[]> {
  const { file, said } = await loaded(text);
  return said.map((line) => line.replaceAll(file, 'p.yaml'));
}

/** What `kstreamd test` prints of each test; the text begins on line 3 of its file. */
export async function reportsOf(text: string): Promise<string[]> {
  const pipeline = await pipelineOf(text);
  const reports: string[] = [];
  for (const test of pipeline.tests) reports.push(reportOf(await runTest(pipeline, test)).replaceAll(pipeline.position.file, 'p.yaml'));
  return reports;
}

/** The files are needed only until plugins are imported. */
async function loaded(text: string) {
  const directory = mkdtempSync(join(tmpdir(), 'kstreamd-tests-'));
  const file = join(directory, 'p.yaml');
  try {
    writeFileSync(join(directory, 'plugins.js'), PLUGINS);
    writeFileSync(join(directory, 'package.json'), '{ "type": "module" }');
    writeFileSync(file, `name: app\nkafka: h:9092\n${text}`);
    const { pipeline, diagnostics } = await loadApplication([file], {});
    return { file, pipeline, said: diagnostics.map(formatDiagnostic) };
  } finally {
    rmSync(directory, { recursive: true });
  }
}
