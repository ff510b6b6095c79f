import { afterAll, beforeAll, describe } from 'vitest';
import type { Transport } from '../../src/core/transport.js';
import { membershipConformance } from './transport-membership.js';
import { plainReadersConformance } from './transport-plain-readers.js';
import { readingConformance } from './transport-reading.js';
import { recordsConformance, type TransportCapabilities } from './transport-records.js';
import { topicsConformance } from './transport-topics.js';
import { transactionsConformance } from './transport-transactions.js';
import { Workbench } from './workbench.js';

/** What every transport must do, in one line: `transportConformance('kafka', () => new KafkaTransport(…), { … })`. */
export function transportConformance(name: string, make: () => Transport | Promise<Transport>, supports: TransportCapabilities): void {
  describe(`${name} transport`, () => {
    const bench = new Workbench();
    beforeAll(async () => bench.open(await make()));
    afterAll(() => bench.close());

    recordsConformance(bench, supports);
    readingConformance(bench);
    membershipConformance(bench);
    topicsConformance(bench, supports);
    transactionsConformance(bench, supports);
    plainReadersConformance(bench);
  });
}
