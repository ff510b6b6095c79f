import type { DeliveryError } from '../core/errors.js';
import type { OwnedTask } from './commit.js';

/**
 * A transaction that holds an output which can never be written fails as a whole. So while the record behind it is
 * looked for, each stretch of records is a transaction of its own; one that fails is halved, until it is one record (E2).
 */
export function narrowIsolation(owned: readonly OwnedTask[], cause: DeliveryError): void {
  for (const { task } of owned) {
    for (const queue of task.queues) {
      if (queue.isolating && queue.position > queue.rewindTo) queue.narrow(cause);
    }
  }
}
