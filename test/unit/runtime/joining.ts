import { compile } from '../../../src/pipeline/compile.js';
import { formatDiagnostic } from '../../../src/pipeline/diagnostics.js';
import { loadPipeline } from '../../../src/pipeline/load.js';
import { builtinProcessors } from '../../../src/processors/registry.js';
import { formatNames } from '../../../src/serdes/formats.js';
import type { Topology } from '../../../src/topology/topology.js';
import type { Flow } from './harness.js';

/** What a file of this text is compiled to; name and cluster are given. */
export async function topologyOf(text: string): Promise<Topology> {
  const { pipeline, diagnostics } = await loadPipeline(['p.yaml'], {
    env: {},
    processors: builtinProcessors,
    formats: formatNames,
    resolvePlugin: () => Promise.reject(new Error('no plugins here')),
    readFile: async () => `name: app\nkafka: h:9092\n${text}`,
  });
  if (pipeline === undefined) throw new Error(diagnostics.map(formatDiagnostic).join('\n'));
  return compile(pipeline);
}

/** The same where a bench takes a flow. */
export async function flowFrom(text: string): Promise<Flow> {
  const topology = await topologyOf(text);
  return { build: () => topology } as unknown as Flow;
}

/** Records of `in` joined with a table of the topic `table`; left, so that nothing is dropped. */
export function joined(table = '', more = ''): string {
  return `tables: { names: { topic: table, engine: memory${table} } }\nfrom: in\nsteps: [{ join: names, as: name, kind: left }]\nto: out\n${more}`;
}
