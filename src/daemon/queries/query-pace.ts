import type { ReadingPace } from '../../runtime/queries/span-reading.js';
import type { HttpRequest } from '../../telemetry/http-route.js';
import { unavailable } from './query-error.js';
import type { Turns } from './turns.js';

/** A query may take so long before it is given up. */
const TIMEOUT_MS = 5000;

/** Of one query: it reads on when it is its turn, until it has taken too long, or nobody waits for its answer any more. */
export class QueryPace implements ReadingPace {
  private readonly until = performance.now() + TIMEOUT_MS;

  constructor(
    private readonly request: Pick<HttpRequest, 'gone'>,
    private readonly turns: Pick<Turns, 'turn'>,
  ) {}

  /** Throws a QueryError. */
  check(): void {
    if (performance.now() > this.until) throw unavailable(`the query took longer than ${TIMEOUT_MS / 1000} s and was given up`);
    if (this.request.gone()) throw unavailable('the client has gone');
  }

  turn(): Promise<void> {
    return this.turns.turn();
  }
}
