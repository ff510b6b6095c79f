import { expect, test } from 'vitest';
import { samplesOfTests } from '../../../src/daemon/dev-session.js';
import { sound } from '../pipeline/loading.js';

test('dev sends what tests put into tables before what they send, and nothing of what they put into stores', async () => {
  const pipeline = await sound(`name: app
kafka: h:9092
tables: { names: { topic: ref, global: true }, sizes: { topic: fx, key: int32, type: timestamped } }
from: orders
steps: [ count ]
to: out
tests:
  - name: one
    tables: { names: { 7: seven }, sizes: { 5: { value: 1, at: 2024-01-01T00:00:00Z } } }
    stores: { main-count: { a: 1 } }
    send: { orders: [ 1 ] }
  - name: two
    send: [ { orders: [ { key: a, value: 2 } ] }, { advance: 1s } ]
`);
  expect(samplesOfTests(pipeline)).toMatchObject([
    { topic: 'ref', record: { key: '7', value: 'seven' } },
    { topic: 'fx', record: { key: 5, value: 1, at: Date.UTC(2024, 0, 1) } },
    { topic: 'orders', record: { value: 1 } },
    { topic: 'orders', record: { key: 'a', value: 2 } },
  ]);
});
