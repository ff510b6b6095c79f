import type { Logger } from '../core/logger.js';
import { isPromise, type MaybePromise } from '../core/maybe.js';
import type { HttpRequest, HttpTurns } from './http-route.js';
import type { Asked, Told } from './http-wire.js';

/** An answer without its number. */
type Answer = Told extends readonly [number, ...infer Rest] ? Readonly<Rest> : never;

/** What answers a path and, where it has a tree, all below it. */
export interface DeskRoute {
  readonly answer: (request: HttpRequest) => MaybePromise<Answer>;
  /** Tells more than a stranger should know. */
  readonly guarded?: boolean;
  readonly tree?: boolean;
}

export interface HttpDeskOptions {
  readonly routes: ReadonlyMap<string, DeskRoute>;
  /** When requests of trees are answered; at once unless told. */
  readonly turns: HttpTurns | undefined;
  readonly logger: Logger;
  readonly tell: (told: readonly Told[]) => void;
}

const NO_HEADERS = {};
/** Answers that make a message worth while others are still worked on. */
const ENOUGH = 4;

/** Answers the requests that were let in. What is answered in one go goes out in one message. */
export class HttpDesk {
  /** Numbers of those whose clients wait. */
  private readonly open = new Set<number>();
  private told: Told[] = [];

  constructor(private readonly options: HttpDeskOptions) {}

  /** `gone`: the clients of these have left. */
  take(asked: readonly Asked[], gone: readonly number[]): void {
    for (const id of gone) this.open.delete(id);
    for (const one of asked) this.takeOne(one);
  }

  private takeOne([id, path, search, headers = NO_HEADERS]: Asked): void {
    const { routes, turns } = this.options;
    const route = routes.get(path) ?? (routes.get(path.slice(0, path.indexOf('/', 1))) as DeskRoute);
    const request: HttpRequest = { path, search, headers, gone: () => !this.open.has(id) };
    this.open.add(id);
    const respond = (): void => {
      const answer = this.answer(route, request);
      if (isPromise(answer)) void answer.then((told) => this.tell(id, told));
      else this.tell(id, answer);
    };
    if (route.tree && turns !== undefined) turns.run(respond);
    else respond();
  }

  private answer(route: DeskRoute, request: HttpRequest): MaybePromise<Answer> {
    const failed = (error: unknown): Answer => {
      this.options.logger.error({ error, path: request.path }, 'HTTP request failed');
      return [500, `${JSON.stringify({ error: 'internal error, see the log' })}\n`];
    };
    try {
      const result = route.answer(request);
      return isPromise(result) ? result.catch(failed) : result;
    } catch (error) {
      return failed(error);
    }
  }

  private tell(id: number, answer: Answer): void {
    if (!this.open.delete(id)) return;
    if (this.told.length === 0) queueMicrotask(() => this.flush());
    if (this.told.push([id, ...answer]) >= ENOUGH) this.flush();
  }

  private flush(): void {
    if (this.told.length === 0) return;
    this.options.tell(this.told);
    this.told = [];
  }
}
