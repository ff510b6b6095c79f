import type { Transport } from '../../src/core/transport.js';
import { MemoryBroker } from '../../src/testing/memory-broker.js';
import { unique } from './reading.js';
import { transportConformance } from './transport.js';

transportConformance('in-memory', () => new MemoryBroker({ readWaitMs: 5 }), {
  nullHeaders: true,
  configs: true,
  async leaveOffsetsOpen(transport: Transport, groupId, offsets) {
    const broker = transport as MemoryBroker;
    const dying = broker.transactions.start(unique('dying'));
    dying.current().onEnd(broker.group(groupId).pend(offsets));
    return async () => dying.end('committed');
  },
});
