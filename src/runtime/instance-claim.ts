import type { TaskMigratedError } from '../core/errors.js';
import { instanceTaken, type MembershipLost } from './membership-lost.js';

const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 16_000;
/** Each process that fences another is fenced in turn: soon one of them has to give in. */
const TRIES_WHEN_FENCED = 3;
/** The waits come to more than the 45 s after which brokers let go of a member that was killed. */
const TRIES_WHEN_IN_USE = 7;
/** Losses further apart than this, in milliseconds, have nothing to do with each other. */
const FORGOTTEN_AFTER_MS = 180_000;

/**
 * What a worker does when the group says that somebody else is the static member that it is. The broker knows members by
 * ids that it gives out with each join, and fences whoever comes with an older one. That may be another process; or we
 * ourselves have joined since: a join sent in an outage was answered to nobody, or a commit left after our session had
 * ended and came behind the join that followed. With `group.protocol: consumer` a member that was killed keeps the
 * instance id until its session ends. Nothing tells these from each other but joining again: the past stays away, and
 * another process fences us once more.
 */
export class InstanceClaim {
  private tries = 0;
  private last = Number.NEGATIVE_INFINITY;

  /** How long to wait before joining anew, in milliseconds; throws the cause when that has been tried often enough. `now` in milliseconds. */
  waitAfter({ cause }: MembershipLost, now: number): number {
    if (!instanceTaken(cause)) return FIRST_WAIT_MS;
    if (now - this.last > FORGOTTEN_AFTER_MS) this.tries = 0;
    this.last = now;
    if (this.tries >= mostTries(cause)) throw cause;
    return Math.min(FIRST_WAIT_MS * 2 ** this.tries++, LONGEST_WAIT_MS);
  }
}

function mostTries({ code }: TaskMigratedError): number {
  return code === 'broker/instance-in-use' ? TRIES_WHEN_IN_USE : TRIES_WHEN_FENCED;
}
