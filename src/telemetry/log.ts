import { Writable } from 'node:stream';
import { isatty } from 'node:tty';
import pino from 'pino';
import pretty from 'pino-pretty';
import type { Logger } from '../core/logger.js';
import type { LogFormat, LogLevel } from './log-levels.js';
import { redact, redactText } from './redact.js';

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Where lines go; standard error by default, since standard output belongs to what a command prints. */
  readonly destination?: LineDestination;
}

/** Takes whole lines. */
export interface LineDestination {
  write(line: string): void;
}

const STDERR = 2;

/**
 * A logger that writes one line an event, at once, so that nothing is lost when the process ends. A line has
 * `level`, `time` (ISO 8601), the fields and `msg`. Secrets are taken out of fields and message, see redact.ts.
 */
export function createLogger(options: LogOptions): Logger {
  const settings = { level: options.level, base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (label: string) => ({ level: label }) } };
  return redacting(pino(settings, destinationOf(options)));
}

/** Takes secrets out before pino sees them; costs nothing below the level. */
function redacting(inner: pino.Logger): Logger {
  const at = (level: 'debug' | 'info' | 'warn' | 'error') => (fields: object, message: string) => {
    if (inner.isLevelEnabled(level)) inner[level](redact(fields), redactText(message));
  };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), child: (fields) => redacting(inner.child(redact(fields))) };
}

function destinationOf({ format, destination }: LogOptions): LineDestination {
  const terminal = destination === undefined && isatty(STDERR);
  if (format === 'json' || (format === 'auto' && !terminal)) return destination ?? pino.destination({ fd: STDERR, sync: true });
  return pretty({
    colorize: terminal && process.env.NO_COLOR === undefined,
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'pid,hostname',
    singleLine: true,
    sync: true,
    destination: destination === undefined ? STDERR : prettyTarget(destination),
  });
}

/** pino-pretty wants a whole stream. */
function prettyTarget(destination: LineDestination): NodeJS.WritableStream {
  return new Writable({
    write(chunk, _encoding, done) {
      destination.write(String(chunk));
      done();
    },
  });
}
