import type { Command } from 'commander';
import { ConfigError } from '../core/errors.js';

/** Files of one application each: merged from several with `-f`, alone otherwise. */
export type ApplicationFiles = readonly string[];

/** Adds `FILE…` and `-f`, which mean the same on every command that takes pipelines. */
export function addPipelineFiles(command: Command): Command {
  return command
    .argument('[files...]', 'pipeline files; each is an application of its own')
    .option('-f, --file <FILE>', 'a file to merge with the other -f files into one application', (file: string, before: string[]) => [...before, file], []);
}

/** What was given, by application: the merged one first. Throws ConfigError when there is none. */
export function applicationsOf(files: readonly string[], merged: readonly string[]): ApplicationFiles[] {
  const applications = [...(merged.length > 0 ? [merged] : []), ...files.map((file) => [file])];
  if (applications.length === 0) throw new ConfigError('cli/no-file', 'no pipeline file was given', { fix: 'name one, or write one with kstreamd new' });
  return applications;
}
