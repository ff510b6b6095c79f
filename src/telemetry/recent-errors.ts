import type { Clock } from '../core/clock.js';
import { KstreamdError, messageOf } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import { redactText } from './redact.js';

/** An error that was logged, the same one counted together. */
export interface RecentError {
  /** When it came last, in epoch milliseconds. */
  readonly time: number;
  readonly level: 'warn' | 'error';
  /** As docs/errors.md lists it; left out for what has none. */
  readonly code?: string;
  readonly message: string;
  readonly count: number;
}

const KEPT = 20;

/** The last errors and warnings about errors that went to a log, in the order in which they came last. */
export class RecentErrors {
  private readonly errors = new Map<string, RecentError>();

  constructor(private readonly clock: Clock) {}

  list(): readonly RecentError[] {
    return [...this.errors.values()];
  }

  /** A logger that notes what goes through it. */
  tap(logger: Logger): Logger {
    return {
      debug: (fields, message) => logger.debug(fields, message),
      info: (fields, message) => logger.info(fields, message),
      warn: (fields, message) => {
        this.note('warn', fields, message);
        logger.warn(fields, message);
      },
      error: (fields, message) => {
        this.note('error', fields, message);
        logger.error(fields, message);
      },
      child: (fields) => this.tap(logger.child(fields)),
    };
  }

  /** A warning that tells of no error is none. */
  private note(level: RecentError['level'], fields: { err?: unknown; error?: unknown; code?: unknown; problem?: unknown }, said: string): void {
    const cause = fields.err ?? fields.error ?? fields.problem;
    const code = fields.code ?? (cause instanceof KstreamdError ? cause.code : undefined);
    if (level === 'warn' && cause === undefined && code === undefined) return;
    const message = redactText(cause === undefined ? said : `${said}: ${messageOf(cause)}`);
    const key = `${String(code)} ${message}`;
    const count = (this.errors.get(key)?.count ?? 0) + 1;
    this.errors.delete(key);
    this.errors.set(key, { time: this.clock.now(), level, ...(code !== undefined && { code: String(code) }), message, count });
    const [oldest] = this.errors.keys();
    if (this.errors.size > KEPT && oldest !== undefined) this.errors.delete(oldest);
  }
}
