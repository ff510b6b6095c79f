import type { Command } from 'commander';
import { ConfigError } from '../core/errors.js';

export function addOutput(command: Command): Command {
  return command.option('--output <FORMAT>', 'table or json', 'table');
}

/** Throws a ConfigError for what is neither. */
export function checkOutput(output: string): void {
  if (output !== 'table' && output !== 'json') throw new ConfigError('option/invalid', `--output: "${output}" is neither table nor json`);
}
