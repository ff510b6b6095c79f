import type { MaybePromise } from '../core/maybe.js';

/** A GET or HEAD that was let in. */
export interface HttpRequest {
  /** As it came, percent-encoding and all; without what stands behind the `?`. */
  readonly path: string;
  /** What stands behind the `?`, as it came. */
  readonly search: string;
  /** Those that the server hands on. */
  readonly headers: Readonly<Record<string, string>>;
  /** Whether the client is there no more. */
  readonly gone: () => boolean;
}

export interface HttpAnswer {
  readonly status: number;
  /** Sent as JSON. */
  readonly body: object;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Answers a path and all below it. What it throws is a defect: 500. */
export type HttpRoute = (request: HttpRequest) => MaybePromise<HttpAnswer>;

/** Who decides when requests are answered. */
export interface HttpTurns {
  /** Calls it once, now or later. */
  run(work: () => void): void;
}
