import { inspect } from 'node:util';
import { BrokerError, ConfigError, KstreamdError } from '../core/errors.js';
import { redactText } from '../telemetry/redact.js';
import { EXIT, type ExitCode } from './shell.js';

/** The code a process ends with after this error. */
export function exitCodeOf(thrown: unknown): ExitCode {
  const error = recognised(thrown);
  if (error instanceof ConfigError) return EXIT.configuration;
  if (error instanceof BrokerError) return EXIT.broker;
  return EXIT.failed;
}

/**
 * What is printed of an error: one message with its code and its fix; where the stack helps, that too: with
 * `debug`, and for defects, which are errors of no class of ours.
 */
export function describeFailure(thrown: unknown, debug: boolean): string {
  const error = recognised(thrown);
  if (!(error instanceof KstreamdError)) return redactText(`error internal/defect: ${inspect(error)}\n`);
  const lines = [`error ${error.code}: ${error.message}`];
  if (error.fix !== undefined) lines.push(`  fix: ${error.fix}`);
  if (debug) lines.push(inspect(error));
  return redactText(`${lines.join('\n')}\n`);
}

/** An installation without its compiled part, as after `npm install --ignore-scripts`, is no defect. */
function recognised(error: unknown): unknown {
  if (
    error instanceof KstreamdError ||
    !(error instanceof Error) ||
    !/Could not locate the bindings file|ERR_DLOPEN_FAILED/.test(`${error.message} ${'code' in error ? error.code : ''}`)
  )
    return error;
  return new ConfigError('install/native-client', 'the compiled part of the Kafka client is missing or was built for another Node', {
    cause: error,
    fix: 'in a checkout: npm run setup; elsewhere: npm rebuild @confluentinc/kafka-javascript classic-level',
  });
}
