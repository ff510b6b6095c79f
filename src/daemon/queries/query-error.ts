import { KstreamdError } from '../../core/errors.js';

export type QueryStatus = 400 | 404 | 421 | 500 | 502 | 503;

/** Why a query is not answered, as HTTP tells it. */
export class QueryError extends KstreamdError {
  /** Seconds after which asking again may help. */
  readonly retryAfter: number | undefined;

  constructor(
    readonly status: QueryStatus,
    code: string,
    message: string,
    options: { fix?: string | undefined; retryAfter?: number; cause?: unknown } = {},
  ) {
    super(code, message, options);
    this.retryAfter = options.retryAfter;
  }

  toJSON(): object {
    const { code, message, fix, retryAfter } = this;
    return { error: message, code, ...(fix !== undefined && { fix }), ...(retryAfter !== undefined && { retryAfter }) };
  }
}

/** Nobody who may answer can be asked now. */
export function unavailable(message: string, cause?: unknown): QueryError {
  return new QueryError(503, 'query/unavailable', message, { retryAfter: 1, cause });
}
