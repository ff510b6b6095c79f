import { TaskMigratedError } from '../core/errors.js';

/**
 * Uses of a group member's client by a producer, which takes the group's metadata from it. A client that the group has
 * put out has none, and the broker would take its offsets as those of somebody without a group: so nothing is lent
 * once the assignment is lost, and what was lent until then counts for nothing.
 */
export class Loans<Client> {
  private readonly open = new Set<Promise<unknown>>();
  private ended = false;

  constructor(
    private readonly client: Client,
    private readonly assignment: { readonly lost: boolean; readonly losses: number },
  ) {}

  /** Rejects with a TaskMigratedError when the client is or was no member meanwhile. */
  async lend<T>(use: (client: Client) => Promise<T>): Promise<T> {
    if (this.ended) throw gone('it has left the group');
    if (this.assignment.lost) throw gone('the group goes on without it');
    const { losses } = this.assignment;
    const loan = use(this.client);
    this.open.add(loan);
    try {
      const result = await loan;
      if (this.assignment.lost || this.assignment.losses !== losses) throw gone('the group went on without it');
      return result;
    } finally {
      this.open.delete(loan);
    }
  }

  /** Nothing is lent any more; resolves when all is back, and the client may be closed. */
  async end(): Promise<void> {
    this.ended = true;
    await Promise.allSettled(this.open);
  }
}

function gone(why: string): TaskMigratedError {
  return new TaskMigratedError('broker/member-removed', `offsets of this member cannot be committed: ${why}`);
}
