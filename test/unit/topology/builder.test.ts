import { describe, expect, test } from 'vitest';
import { ConfigError } from '../../../src/core/errors.js';
import type { StoreDefinition } from '../../../src/core/store.js';
import { jsonSerde } from '../../../src/serdes/json.js';
import { stringSerde } from '../../../src/serdes/string.js';
import { TopologyBuilder } from '../../../src/topology/builder.js';
import { Shape, storeDefinition } from './nodes.js';

function refusal(build: () => unknown): ConfigError {
  try {
    build();
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('what the builder makes', () => {
  test('children stand in the order in which they were declared, each once', () => {
    const topology = new Shape().source('in').step('b', ['in', 'in']).step('a', ['in']).sink('out', ['a', 'b']).build();
    expect(topology.children.get('in')).toEqual(['b', 'a']);
    expect(topology.children.get('b')).toEqual(['out']);
    expect(topology.children.get('out')).toEqual([]);
  });

  test('parents may be declared after their children', () => {
    const topology = new Shape().sink('out', ['a']).step('a', ['in']).source('in').build();
    expect(topology.subtopologies[0]?.nodes).toEqual(['in', 'a', 'out']);
  });

  test('S16: a repartition topic is an internal sink and source, named after the application and the step', () => {
    const shape = new Shape().source('in').step('rekey', ['in']);
    const source = shape.repartition('main-count', ['rekey']);
    const topology = shape.step('count', [source], { stores: ['counts'] }).build();
    expect(topology.repartitions).toEqual([{ topic: 'app-main-count-repartition', sink: 'main-count-repartition-sink', source: 'main-count-repartition' }]);
    expect(topology.nodes.get('main-count-repartition')).toMatchObject({ kind: 'source', topics: ['app-main-count-repartition'] });
    expect(topology.nodes.get('main-count-repartition-sink')).toMatchObject({ kind: 'sink', to: { topic: 'app-main-count-repartition' } });
  });
});

describe('what the builder refuses', () => {
  test('a cycle, naming its nodes', () => {
    const shape = new Shape().source('in').step('a', ['in', 'c']).step('b', ['a']).step('c', ['b']);
    const error = refusal(() => shape.build());
    expect(error.code).toBe('topology/cycle');
    expect(error.message).toContain('"a" → "b" → "c" → "a"');
  });

  test('a node that is its own parent', () => {
    expect(refusal(() => new Shape().source('in').step('a', ['in', 'a']).build()).code).toBe('topology/cycle');
  });

  test('an unknown parent', () => {
    const error = refusal(() => new Shape().source('in').step('a', ['inn']).build());
    expect(error.code).toBe('topology/unknown-node');
    expect(error.message).toContain('"inn"');
  });

  test('a sink as a parent', () => {
    const error = refusal(() => new Shape().source('in').sink('out', ['in']).step('a', ['out']).build());
    expect(error.code).toBe('topology/unknown-node');
    expect(error.message).toContain('a sink has no children');
  });

  test('a step or sink without a parent', () => {
    expect(refusal(() => new Shape().source('in').step('a', []).build()).code).toBe('topology/unreachable');
    expect(refusal(() => new Shape().source('in').sink('out', []).build()).code).toBe('topology/unreachable');
  });

  test('a topology that reads nothing, and a source without a topic', () => {
    expect(refusal(() => new TopologyBuilder('app').build()).code).toBe('topology/no-source');
    const builder = new TopologyBuilder('app').addSource({ name: 'in', topics: [], key: stringSerde, value: jsonSerde });
    expect(refusal(() => builder.build()).code).toBe('topology/no-source');
  });

  test('two nodes or two stores of one name', () => {
    expect(refusal(() => new Shape().source('in').step('in', ['in'])).code).toBe('topology/duplicate');
    expect(refusal(() => new Shape().store('s').store('s')).code).toBe('topology/duplicate');
  });

  test('a topic that two sources read, and one that a source reads twice', () => {
    const error = refusal(() => new Shape().source('a', 'orders').source('b', 'orders').build());
    expect(error.code).toBe('topology/topic-read-twice');
    expect(error.message).toContain('"orders"');
    expect(refusal(() => new Shape().source('a', 'orders', 'orders').build()).code).toBe('topology/topic-read-twice');
  });

  test('a step that connects a store nobody declared', () => {
    const builder = new TopologyBuilder('app')
      .addSource({ name: 'in', topics: ['t'], key: stringSerde, value: jsonSerde })
      .addProcessor({ name: 'a', create: () => ({ process: () => {} }), stores: { counts: 'counts' } }, ['in']);
    const error = refusal(() => builder.build());
    expect(error.code).toBe('topology/unknown-store');
    expect(error.message).toContain('"counts"');
  });

  test('copies of a store that has no changelog, and two stores with one changelog (S3, S10)', () => {
    const changelog = { topic: 'app-s-changelog', config: {} };
    const using = (...stores: Partial<StoreDefinition>[]): TopologyBuilder => {
      const { builder } = new Shape().source('in');
      for (const [i, store] of stores.entries()) {
        builder.addStore({ ...storeDefinition(`s${i}`), ...store });
        builder.addProcessor({ name: `a${i}`, create: () => ({ process: () => {} }), stores: { s: `s${i}` } }, ['in']);
      }
      return builder;
    };
    expect(refusal(() => using({ standby: 1 }).build()).code).toBe('store/standby-without-changelog');
    const error = refusal(() => using({ changelog }, { changelog }).build());
    expect(error.code).toBe('topology/duplicate');
    expect(error.message).toBe('the stores "s0" and "s1" have one changelog, "app-s-changelog"');
    expect(using({ standby: 0 }, { changelog, standby: 2 }).build().stores.size).toBe(2);
  });

  test('a store that no step uses', () => {
    expect(refusal(() => new Shape().source('in').store('idle').build()).code).toBe('topology/unused-store');
  });
});
