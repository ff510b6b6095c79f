import { describe, expect, test } from 'vitest';
import { Shape } from './nodes.js';

const ONE = { atMostOne: true } as const;

function decisions(shape: Shape): { single: string[]; mergeOutputs: boolean } {
  const { single, mergeOutputs } = shape.one();
  return { single: [...single].sort(), mergeOutputs };
}

describe('B4: where whole arrays may pass, decided from the shape', () => {
  test('a straight pipeline stays whole', () => {
    const shape = new Shape()
      .source('in')
      .step('a', ['in'])
      .step('b', ['a'], { stores: ['s'] })
      .sink('out', ['b']);
    expect(decisions(shape)).toEqual({ single: [], mergeOutputs: false });
  });

  test('a fork whose arms never meet stays whole', () => {
    const shape = new Shape()
      .source('in')
      .step('a', ['in'], { stores: ['s'] })
      .step('b', ['in'], { stores: ['t'] })
      .sink('x', ['a'])
      .sink('y', ['b']);
    expect(decisions(shape)).toEqual({ single: [], mergeOutputs: false });
  });

  test('two inputs that meet are no fork', () => {
    const shape = new Shape()
      .source('one')
      .source('two')
      .step('a', ['one', 'two'], { stores: ['s'] })
      .sink('out', ['a']);
    expect(decisions(shape)).toEqual({ single: [], mergeOutputs: false });
  });

  test('arms that share a sink are merged', () => {
    const shape = new Shape().source('in').step('a', ['in'], ONE).step('b', ['in'], ONE).sink('out', ['a', 'b']);
    expect(decisions(shape)).toEqual({ single: [], mergeOutputs: true });
  });

  test('arms with sinks of their own to one topic are merged', () => {
    const shape = new Shape().source('in').step('a', ['in'], ONE).sink('x', ['a'], 'same').sink('y', ['in'], 'same');
    expect(decisions(shape)).toEqual({ single: [], mergeOutputs: true });
  });

  test('arms that meet in a repartition topic are merged', () => {
    const shape = new Shape().source('in').step('a', ['in'], ONE).step('b', ['in'], ONE);
    shape.step('count', [shape.repartition('r', ['a', 'b'])], { stores: ['s'] });
    const [first, second] = shape.build().subtopologies;
    expect(first).toMatchObject({ mergeOutputs: true, single: new Set() });
    expect(second).toMatchObject({ mergeOutputs: false, single: new Set() });
  });

  test('an arm that multiplies records is merged all the same: its outputs follow one another', () => {
    const shape = new Shape().source('in').step('many', ['in']).step('b', ['in'], ONE).sink('out', ['many', 'b']);
    expect(decisions(shape)).toEqual({ single: [], mergeOutputs: true });
  });

  test('after a step that multiplies, the input position says too little: the fork passes single records', () => {
    const shape = new Shape().source('in').step('many', ['in']).step('a', ['many'], ONE).step('b', ['many'], ONE).sink('out', ['a', 'b']);
    expect(decisions(shape)).toEqual({ single: ['many'], mergeOutputs: false });
    const later = new Shape().source('in').step('many', ['in']).step('fork', ['many'], ONE).step('a', ['fork'], ONE).sink('out', ['fork', 'a']);
    expect(decisions(later)).toEqual({ single: ['fork'], mergeOutputs: false });
  });

  test('user code in an arm may hold records back, so that the fork passes single records', () => {
    const shape = new Shape().source('in').step('plugin', ['in'], { foreign: true }).step('b', ['in'], ONE).sink('out', ['plugin', 'b']);
    expect(decisions(shape)).toEqual({ single: ['in'], mergeOutputs: false });
    const promised = new Shape()
      .source('in')
      .step('plugin', ['in'], { foreign: true, ...ONE })
      .step('b', ['in'], ONE)
      .sink('out', ['plugin', 'b']);
    expect(decisions(promised)).toEqual({ single: [], mergeOutputs: true });
  });

  test('arms that meet in a step: the fork passes single records', () => {
    const shape = new Shape().source('in').step('a', ['in'], ONE).step('b', ['in'], ONE).step('c', ['a', 'b'], ONE).sink('out', ['c']);
    expect(decisions(shape)).toEqual({ single: ['in'], mergeOutputs: false });
  });

  test('a short cut past a step meets it again', () => {
    const shape = new Shape().source('in').step('fork', ['in'], ONE).step('a', ['fork'], ONE).step('c', ['fork', 'a'], ONE);
    expect(decisions(shape)).toEqual({ single: ['fork'], mergeOutputs: false });
  });

  test('arms that share a store: the fork passes single records', () => {
    const shape = new Shape()
      .source('in')
      .step('a', ['in'], { stores: ['s'], ...ONE })
      .step('x', ['in'], ONE)
      .step('b', ['x'], { stores: ['s'], ...ONE });
    expect(decisions(shape)).toEqual({ single: ['in'], mergeOutputs: false });
  });

  test('a step and one after it that share a store: the first passes single records', () => {
    const shape = new Shape()
      .source('in')
      .step('a', ['in'], { stores: ['s'] })
      .step('x', ['a'])
      .step('b', ['x'], { stores: ['s'] });
    expect(decisions(shape)).toEqual({ single: ['a'], mergeOutputs: false });
  });

  test('only the fork whose arms meet is slowed down', () => {
    const shape = new Shape()
      .source('in')
      .step('left', ['in'], ONE)
      .step('right', ['in'], ONE)
      .step('l1', ['left'], ONE)
      .step('l2', ['left'], ONE)
      .step('meet', ['l1', 'l2'], ONE)
      .sink('x', ['meet'])
      .sink('y', ['right']);
    expect(decisions(shape)).toEqual({ single: ['left'], mergeOutputs: false });
  });
});
