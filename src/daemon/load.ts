import { type LoadedPipeline, loadPipeline } from '../pipeline/load.js';
import { resolvePartitioner, resolvePlugin } from '../pipeline/plugins.js';
import { builtinProcessors } from '../processors/registry.js';
import { formatNames } from '../serdes/formats.js';

/** The one application that these files merge into, with all that the checker found. */
export function loadApplication(files: readonly string[], env: Readonly<Record<string, string | undefined>>): Promise<LoadedPipeline> {
  return loadPipeline(files, { env, processors: builtinProcessors, resolvePlugin, resolvePartitioner, formats: formatNames });
}
