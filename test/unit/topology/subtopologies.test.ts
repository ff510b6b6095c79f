import { describe, expect, test } from 'vitest';
import { inputsOf } from '../../../src/runtime/task-graph.js';
import { Shape } from './nodes.js';

describe('sub-topologies', () => {
  /** kafka-streams.yaml, topology-01. */
  test('topology-01: nodes joined by an edge are one, numbered in declaration order', () => {
    const topology = new Shape()
      .source('s1', 'topic-1', 'X-topic-1x')
      .source('s2', 'topic-2')
      .source('s3', 'topic-3')
      .source('s4', 'topic-4')
      .source('s5', 'topic-5')
      .step('p1', ['s1'])
      .step('p2', ['s2', 'p1'])
      .step('p3', ['s3', 's4'])
      .build();
    expect(Object.fromEntries(topology.subtopologies.map(({ id, topics }) => [id, topics]))).toEqual({
      0: ['X-topic-1x', 'topic-1', 'topic-2'],
      1: ['topic-3', 'topic-4'],
      2: ['topic-5'],
    });
  });

  /** kafka-streams.yaml, topology-03. */
  test('topology-03: a task is one sub-topology and one partition number', () => {
    const { subtopologies } = new Shape().source('a', 'topic1').source('b', 'topic2').build();
    const count = (topic: string): number => (topic === 'topic1' ? 3 : 2);
    const tasks = subtopologies.flatMap((subtopology) =>
      [0, 1, 2].map(
        (partition) => [`${subtopology.id}_${partition}`, inputsOf(subtopology, partition, count).map((tp) => `${tp.topic}-${tp.partition}`)] as const,
      ),
    );
    expect(Object.fromEntries(tasks.filter(([, inputs]) => inputs.length > 0))).toEqual({
      '0_0': ['topic1-0'],
      '0_1': ['topic1-1'],
      '0_2': ['topic1-2'],
      '1_0': ['topic2-0'],
      '1_1': ['topic2-1'],
    });
  });

  test('S10: steps that share a store are one sub-topology, though no edge joins them', () => {
    const { subtopologies } = new Shape()
      .source('a')
      .source('b')
      .step('x', ['a'], { stores: ['s'] })
      .step('y', ['b'], { stores: ['s'] })
      .build();
    expect(subtopologies.map(({ nodes }) => nodes)).toEqual([['a', 'b', 'x', 'y']]);
    expect(subtopologies[0]?.stores).toEqual(['s']);
  });

  test('S16: a repartition topic cuts: writer and reader are two sub-topologies', () => {
    const shape = new Shape().source('in').step('rekey', ['in']);
    const { subtopologies } = shape.step('count', [shape.repartition('count', ['rekey'])], { stores: ['counts'] }).build();
    expect(subtopologies.map(({ nodes, topics }) => ({ nodes, topics }))).toEqual([
      { nodes: ['in', 'rekey', 'count-repartition-sink'], topics: ['in-topic'] },
      { nodes: ['count-repartition', 'count'], topics: ['app-count-repartition'] },
    ]);
  });

  test('parents come before children, also where a long way and a short one meet', () => {
    const { nodes } = new Shape().source('in').step('c', ['in', 'b']).step('b', ['a']).step('a', ['in']).one();
    expect(nodes).toEqual(['in', 'a', 'b', 'c']);
  });

  test('S14: the folder is named after the first store, else the first node', () => {
    const { subtopologies } = new Shape()
      .source('a')
      .source('b')
      .step('x', ['b'], { stores: ['second', 'first'] })
      .build();
    expect(subtopologies.map(({ directory }) => directory)).toEqual(['a', 'second']);
  });
});
