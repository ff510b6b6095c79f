import type { DeliveryError } from '../core/errors.js';
import type { OwnedTask } from './commit.js';

/**
 * A commit that holds a record which can never be written fails as a whole. So while the input behind it is looked for,
 * each stretch of records is committed by itself; one that fails is halved, until it is one record (E2).
 */
export function narrowIsolation(owned: readonly OwnedTask[], cause: DeliveryError): void {
  for (const { task } of owned) {
    for (const queue of task.queues) {
      if (queue.onTrial) queue.narrow(cause);
    }
  }
}
