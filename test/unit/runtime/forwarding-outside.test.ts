import { expect, test } from 'vitest';
import type { ProcessorContext } from '../../../src/core/processor.js';
import { stringSerde } from '../../../src/serdes/string.js';
import { TopologyDriver } from '../../../src/testing/topology-driver.js';
import { TopologyBuilder } from '../../../src/topology/builder.js';

test('a record forwarded between batches is refused, since no commit would cover it (B6, C2)', async () => {
  const contexts: ProcessorContext[] = [];
  const topology = new TopologyBuilder('app')
    .addSource({ name: 'in', topics: ['in'], key: stringSerde, value: stringSerde })
    .addProcessor({ name: 'late', create: () => ({ init: (context) => void contexts.push(context), process() {} }), foreign: true }, ['in'])
    .addSink({ name: 'out', to: { topic: 'out' }, key: stringSerde, value: stringSerde }, ['late'])
    .build();
  const driver = await TopologyDriver.open(topology);
  driver.send('in', [{ key: null, value: Buffer.from('one') }]);
  await driver.settle();
  expect(() => contexts[0]?.forward({ key: 'k', value: 'v', timestamp: 0 })).toThrow('step "late" forwards a record when no batch is under way');
  expect(() => contexts[0]?.forwardBatch([])).toThrow('when no batch is under way');
  await driver.close();
});
