import type { TaskMigratedError } from '../core/errors.js';

/** Ends a session without a commit; the next one joins anew (C3, C5). */
export class MembershipLost extends Error {
  constructor(override readonly cause: TaskMigratedError) {
    super('the membership was lost', { cause });
  }
}

/** The codes that say that the group has another member under this instance id. */
const TAKEN: ReadonlySet<string> = new Set(['broker/instance-fenced', 'broker/instance-in-use']);

/** Whether the group has another member under our instance id: the client that was told so is of no more use. */
export function instanceTaken({ code }: TaskMigratedError): boolean {
  return TAKEN.has(code);
}
