import { didYouMean } from '../core/closest.js';
import { ConfigError, messageOf } from '../core/errors.js';
import type { Position } from '../core/expression.js';
import type { ProcessorDefinition } from '../core/processor.js';
import { readArms } from './branch-arms.js';
import type { StepsReading } from './declarations.js';
import { readErrorPolicy } from './error-policy.js';
import { reportUnknownKey } from './fields.js';
import { readJoined } from './join-target.js';
import { LATER_OPERATIONS, STEP_KEYS } from './keys.js';
import type { Step } from './model.js';
import { readOptions } from './options.js';
import { StepSettings } from './step-settings.js';
import { isNull, type MapNode, positionOf, type ScalarNode, type TreeNode } from './tree.js';

/** `steps:` of a flow or of an arm. */
export async function readSteps(node: TreeNode | undefined, reading: StepsReading): Promise<Step[]> {
  const steps: Step[] = [];
  for (const item of reading.reader.list(node, 'steps')?.items ?? []) {
    const step = await readStep(item, reading);
    if (step !== undefined) steps.push(step);
  }
  return steps;
}

/** The one entry of a step that says what it does. */
interface Operation {
  readonly name: string;
  readonly key: ScalarNode;
  readonly value: TreeNode;
}

async function readStep(node: TreeNode, reading: StepsReading): Promise<Step | undefined> {
  const { reader } = reading;
  if (node.kind === 'list') return reader.wrongType(node, 'a step', 'a map with one operation');
  const map = node.kind === 'map' ? node : undefined;
  const operation = map === undefined ? shortForm(node as ScalarNode, reading) : findOperation(map, reading);
  if (operation === undefined) return undefined;
  reading.expressions.takeImpure();
  const step = await readKnownStep(operation, map, reading);
  const calls = reading.expressions.takeImpure();
  if (step !== undefined && calls.length > 0) reading.impure.set(step, calls);
  return step;
}

/** `- count` */
function shortForm(node: ScalarNode, reading: StepsReading): Operation | undefined {
  if (typeof node.value !== 'string') return reading.reader.wrongType(node, 'a step', 'a map with one operation');
  const name = reading.reader.text(node, 'a step');
  if (name === undefined) return undefined;
  const glued = /^([A-Za-z]\w*):\S/.exec(name);
  if (glued) return reading.reader.diagnostics.error(positionOf(node), 'schema/needs-space', `"${glued[1]}:" needs a space after the colon`);
  if (!isOperation(name, reading)) return reportUnknownStep(name, positionOf(node), reading);
  const nothing: ScalarNode = { ...node, start: node.end, value: null, text: '', style: 'plain' };
  return checkedOperation({ name, key: node, value: nothing }, reading);
}

function isOperation(name: string, { processors }: StepsReading): boolean {
  return processors.has(name) || name === 'use' || LATER_OPERATIONS.includes(name);
}

function findOperation(map: MapNode, reading: StepsReading): Operation | undefined {
  const { diagnostics } = reading.reader;
  const entries = [...map.entries].filter(([name]) => !name.startsWith('x-'));
  const [first, second] = entries.filter(([name]) => isOperation(name, reading));
  if (first === undefined) {
    const unknown = entries.find(([name]) => !Object.hasOwn(STEP_KEYS, name));
    if (unknown) return reportUnknownStep(unknown[0], positionOf(unknown[1].key), reading, unknown[1].value);
    return diagnostics.error(positionOf(map), 'step/no-operation', 'a step needs an operation, such as filter, map or count');
  }
  if (second !== undefined) {
    const message = `a step has one operation, and this one has "${first[0]}" and "${second[0]}"`;
    return diagnostics.error(positionOf(second[1].key), 'step/two-operations', message, `begin a step of its own: - ${second[0]}: …`);
  }
  const [name, { key, value }] = first;
  return checkedOperation({ name, key, value }, reading);
}

function checkedOperation(operation: Operation, { reader, processors }: StepsReading): Operation | undefined {
  const later = LATER_OPERATIONS.includes(operation.name) && !processors.has(operation.name);
  return later ? reader.notYet(operation.name, positionOf(operation.key), 'step') : operation;
}

/** Operations of other tools, and how the language says them. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  merge: 'several inputs are "from: [a, b]"',
  suppress: 'how often a result is written is the setting "emit"',
  on: 'what a join looks up is the setting "by"',
};

function reportUnknownStep(name: string, position: Position, reading: StepsReading, value?: TreeNode): undefined {
  const { diagnostics } = reading.reader;
  const elsewhere = Object.hasOwn(ELSEWHERE, name) ? ELSEWHERE[name] : undefined;
  if (elsewhere !== undefined) return diagnostics.error(position, 'step/unknown', `unknown step "${name}"; ${elsewhere}`);
  if (value !== undefined && isNull(value) && name.includes(':')) return void reportUnknownKey(name, position, value, [], diagnostics);
  return diagnostics.error(position, 'step/unknown', `unknown step "${name}"${didYouMean(name, [...reading.processors.keys(), 'use', ...LATER_OPERATIONS])}`);
}

async function readKnownStep(operation: Operation, map: MapNode | undefined, reading: StepsReading): Promise<Step | undefined> {
  const { reader } = reading;
  const { diagnostics } = reader;
  const position = positionOf(operation.key);
  const before = diagnostics.errorCount;
  const definition = operation.name === 'use' ? await loadPlugin(operation, reading) : reading.processors.get(operation.name);
  const settings = new StepSettings(map, operation.name, definition, reading);
  const name = settings.name();
  const joined = operation.name === 'join' ? readJoined(operation.value, map, reading) : undefined;
  const arms = operation.name === 'branch' ? await readArms(operation.value, reading, (steps) => readSteps(steps, reading)) : undefined;
  const options = arms !== undefined || definition === undefined ? undefined : await checkedOptions(operation, definition, settings, reading);
  const step = {
    operation: operation.name,
    id: name ?? operation.name,
    when: settings.condition(),
    emit: settings.emit(),
    onError: readErrorPolicy(settings.get('onError'), reading.onError.final, reading.deadLetter, reader),
    store: settings.store(),
    stores: settings.stores(),
    joined,
    arms,
    position,
  };
  if (definition === undefined || diagnostics.errorCount > before) return undefined;
  const values = arms === undefined ? options?.value : arms.map(({ when }) => (when === undefined ? {} : { if: when }));
  return { ...step, definition, options: values };
}

async function loadPlugin({ value }: Operation, { reader, plugins }: StepsReading): Promise<ProcessorDefinition | undefined> {
  const specifier = isNull(value) ? reader.wrongType(value, '"use"', './file.js#Export or an npm package') : reader.text(value, '"use"');
  if (specifier === undefined) return undefined;
  try {
    return await plugins.processor(specifier, value.source.file);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return reader.diagnostics.error(positionOf(value), error.code, messageOf(error), error.fix);
  }
}

function checkedOptions(
  operation: Operation,
  definition: ProcessorDefinition,
  settings: StepSettings,
  { reader, expressions }: StepsReading,
): Promise<{ value: unknown } | undefined> {
  const position = positionOf(operation.key);
  if (definition.beside)
    return readOptions(settings.withOptions(operation.key, operation.value), definition.options, {
      literal: false,
      reader,
      expressions,
      operation: operation.name,
      position,
    });
  if (operation.name !== 'use')
    return readOptions(operation.value, definition.options, { literal: false, reader, expressions, operation: operation.name, position });
  const specifier = operation.value.kind === 'scalar' ? operation.value.text : 'use';
  const nothing: ScalarNode = { ...operation.key, start: operation.key.start, value: null, text: '', style: 'plain', tag: undefined };
  return readOptions(settings.get('with') ?? nothing, definition.options, { literal: true, reader, expressions, operation: specifier, position });
}
