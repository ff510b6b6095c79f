import { didYouMean } from '../core/closest.js';
import { eachRecord } from '../core/each-record.js';
import type { Expression } from '../core/expression.js';
import type { ProcessorDefinition } from '../core/processor.js';
import { recordFrom } from '../processors/map.js';
import type { Declarations } from './declarations.js';
import { namedSteps } from './flow-checks.js';
import type { Flow, Pipeline, Step, TestMock } from './model.js';
import { positionOf, type ScalarNode, type TreeNode } from './tree.js';

/** `mock:` of a test: expressions by the names of plugins' steps. */
export function readMocks(node: TreeNode | undefined, flows: readonly Flow[], { reader, expressions }: Declarations): TestMock[] {
  const map = reader.map(node, 'mock');
  const steps = namedSteps(flows);
  const mocks: TestMock[] = [];
  for (const [name, { key, value }] of map?.entries ?? []) {
    if (name.startsWith('x-')) continue;
    const step = stepNamed(name, key, steps, { reader });
    const expression = expressions.template(value, { key: name, operation: 'mock', flow: map?.flow ?? false });
    if (step !== undefined && expression !== undefined) mocks.push({ step, expression });
  }
  expressions.takeImpure();
  return mocks;
}

function stepNamed(name: string, key: ScalarNode, steps: ReturnType<typeof namedSteps>, { reader }: Pick<Declarations, 'reader'>): Step | undefined {
  const { diagnostics } = reader;
  const position = positionOf(key);
  const found = steps.filter(({ step, longName }) => step.id === name || longName === name);
  const plugins = found.filter(({ step }) => step.operation === 'use');
  const [plugin, second] = plugins;
  if (plugin !== undefined && second === undefined) return plugin.step;
  if (plugin !== undefined) {
    const names = [...new Set(plugins.map(({ longName }) => longName))];
    const fix = names.length === plugins.length ? `write ${names.join(' or ')}` : 'give each of them a "name"';
    return diagnostics.error(position, 'tests/mock', `${plugins.length} steps with plugins are called "${name}"`, fix);
  }
  if (found.length > 0) {
    const operation = found[0]?.step.operation;
    return diagnostics.error(position, 'tests/mock', `"${name}" is a step "${operation}" of the language; only plugins ("use") can be replaced`);
  }
  const names = steps.filter(({ step }) => step.operation === 'use').flatMap(({ step, longName }) => [step.id, longName]);
  const none = names.length === 0 ? ', and no plugin at all' : '';
  return diagnostics.error(position, 'tests/mock', `the pipeline has no step "${name}"${none}${didYouMean(name, names)}`);
}

/**
 * The pipeline with expressions in the place of plugins. What else is said about their steps holds: `if`, `onError`, the stores they
 * keep and share, and that the plugin changes keys, though the expression does not.
 */
export function withMocks(pipeline: Pipeline, mocks: readonly TestMock[]): Pipeline {
  if (mocks.length === 0) return pipeline;
  const expressionOf = new Map(mocks.map(({ step, expression }) => [step, expression]));
  const replaced = (step: Step): Step => {
    const arms = step.arms?.map((arm) => ({ ...arm, steps: arm.steps.map(replaced) }));
    const expression = expressionOf.get(step);
    return { ...step, arms, definition: expression === undefined ? step.definition : mocked(step.definition, expression) };
  };
  return { ...pipeline, flows: pipeline.flows.map((flow) => ({ ...flow, steps: flow.steps.map(replaced) })) };
}

function mocked(definition: ProcessorDefinition, expression: Expression): ProcessorDefinition {
  const settings = (definition.settings ?? []).filter((setting) => setting !== 'emit');
  return { ...definition, settings, atMostOne: true, create: () => eachRecord((record) => recordFrom(expression.evaluate(record), record, 'mock')) };
}
