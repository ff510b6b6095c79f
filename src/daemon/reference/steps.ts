import type { ProcessorDefinition } from '../../core/processor.js';
import { builtinProcessors } from '../../processors/registry.js';
import { type StepOption, stepOptions } from '../step-options.js';
import { storeEngines } from '../store-engines.js';
import { code, codes, page, table, yaml } from './markdown.js';

/** docs/steps.md: what `kstreamd list STEP` tells of each step. */
export function stepsPage(): string {
  const processors = [...builtinProcessors];
  return page(
    'Steps',
    [
      'A step is one operation with its settings beside it: `- filter: value.total > 100`, or `- count` where the operation needs nothing.',
      'Every step takes `name` and `onError`; what else it takes is listed under it, and [the pipeline file](pipeline.md#steps) says what each means.',
      '`kstreamd list STEP` prints the same.',
    ].join(' '),
    table(
      ['step', 'what it does'],
      processors.map(([name, { summary }]) => [`[${code(name)}](#${name.toLowerCase()})`, summary]),
    ),
    ...processors.flatMap(([name, definition]) => stepBlocks(name, definition)),
  );
}

function stepBlocks(name: string, { summary, docs, options, settings = [], store, example }: ProcessorDefinition): (string | undefined)[] {
  const facts = [
    `- Settings: ${codes(['name', ...settings, 'onError'])}`,
    store &&
      `- Store: one of its own, ${code(store.engine ?? defaultEngine())} with ${code(store.value ?? 'json')} values, unless ${code('store')} says otherwise`,
  ];
  return [
    `## ${code(name)}`,
    summary,
    docs?.trim(),
    optionsBlock(name, stepOptions(options)),
    facts.filter((fact) => fact !== undefined).join('\n'),
    example === undefined ? undefined : yaml(example),
  ];
}

function optionsBlock(name: string, options: readonly StepOption[]): string {
  const [first] = options;
  if (first === undefined) return `No options: write ${code(`- ${name}`)}.`;
  if (first.name === undefined) return `Takes: ${first.description.replaceAll('|', 'or')}.`;
  return table(
    ['option', 'required', 'meaning'],
    options.map((option) => [code(option.name ?? ''), option.required ? 'yes' : '', option.description]),
  );
}

function defaultEngine(): string {
  return [...storeEngines.keys()][0] ?? '';
}
