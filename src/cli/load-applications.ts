import { ConfigError } from '../core/errors.js';
import { formatDiagnostic } from '../pipeline/diagnostics.js';
import type { Pipeline } from '../pipeline/model.js';
import type { ApplicationFiles } from './pipeline-files.js';
import { EXIT, Exit, type Shell } from './shell.js';

/** The shell for a command that asks no broker: the file need not find `KAFKA_BROKERS` in the environment. */
export function withoutBrokers(shell: Shell): Shell {
  return { ...shell, env: { KAFKA_BROKERS: 'localhost:9092', ...shell.env } };
}

/** Loads every application, printing what the checker says of it; stops when any has an error. Another `version` loads plugins anew. */
export async function loadApplications(applications: readonly ApplicationFiles[], shell: Shell, version?: number): Promise<Pipeline[]> {
  const { loadApplication } = await import('../daemon/load.js');
  const pipelines: Pipeline[] = [];
  let refused = false;
  for (const files of applications) {
    const { pipeline, diagnostics } = await loadApplication(files, shell.env, version);
    for (const diagnostic of diagnostics) shell.stderr.write(`${formatDiagnostic(diagnostic)}\n`);
    if (pipeline) pipelines.push(pipeline);
    else refused = true;
  }
  if (refused) throw new Exit(EXIT.configuration);
  const twice = pipelines.find((one, i) => pipelines.findIndex((other) => other.name === one.name) !== i);
  if (twice) {
    throw new ConfigError('cli/same-name', `two of the files are named "${twice.name}"`, {
      fix: 'give each its own name, or merge them into one application with -f',
    });
  }
  return pipelines;
}
