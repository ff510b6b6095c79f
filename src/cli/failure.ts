import { inspect } from 'node:util';
import { BrokerError, ConfigError, KstreamdError } from '../core/errors.js';
import { redactText } from '../telemetry/redact.js';
import { EXIT, type ExitCode } from './shell.js';

/** The code a process ends with after this error. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof ConfigError) return EXIT.configuration;
  if (error instanceof BrokerError) return EXIT.broker;
  return EXIT.failed;
}

/**
 * What is printed of an error: one message with its code and its fix; where the stack helps, that too: with
 * `debug`, and for defects, which are errors of no class of ours.
 */
export function describeFailure(error: unknown, debug: boolean): string {
  if (!(error instanceof KstreamdError)) return redactText(`error internal/defect: ${inspect(error)}\n`);
  const lines = [`error ${error.code}: ${error.message}`];
  if (error.fix !== undefined) lines.push(`  fix: ${error.fix}`);
  if (debug) lines.push(inspect(error));
  return redactText(`${lines.join('\n')}\n`);
}
