import { compile } from '../pipeline/compile.js';
import type { Diagnostic } from '../pipeline/diagnostics.js';
import { type LoadedPipeline, loadPipeline } from '../pipeline/load.js';
import type { Pipeline } from '../pipeline/model.js';
import { resolvePartitioner, resolvePlugin, resolveStoreEngine } from '../pipeline/plugins.js';
import { CompileError } from '../pipeline/stream.js';
import { checkTestValues } from '../pipeline/test-values.js';
import { builtinProcessors } from '../processors/registry.js';
import { formatNames } from '../serdes/formats.js';
import { TopologyError } from '../topology/validate.js';

/**
 * The one application that these files merge into, with all that the checker and the compiler found. Another
 * `version` loads plugin modules anew.
 */
export async function loadApplication(files: readonly string[], env: Readonly<Record<string, string | undefined>>, version?: number): Promise<LoadedPipeline> {
  const { pipeline, diagnostics } = await loadPipeline(files, {
    env,
    processors: builtinProcessors,
    resolvePlugin: (specifier, fromFile) => resolvePlugin(specifier, fromFile, { version }),
    resolvePartitioner: (specifier, fromFile) => resolvePartitioner(specifier, fromFile, { version }),
    resolveStoreEngine: (specifier, fromFile) => resolveStoreEngine(specifier, fromFile, { version }),
    formats: formatNames,
  });
  const refused = pipeline === undefined ? [] : compileFindings(pipeline);
  return refused.length > 0 ? { pipeline: undefined, diagnostics: [...diagnostics, ...refused] } : { pipeline, diagnostics };
}

/** What only shows when the topology is built, all of it errors. */
function compileFindings(pipeline: Pipeline): Diagnostic[] {
  try {
    return checkTestValues(pipeline, compile(pipeline));
  } catch (error) {
    if (error instanceof CompileError) return [{ ...error.position, severity: 'error', code: error.code, message: error.finding, fix: error.fix }];
    if (error instanceof TopologyError) return [{ ...pipeline.position, severity: 'error', code: error.code, message: error.message, fix: error.fix }];
    throw error;
  }
}
