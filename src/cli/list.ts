import type { Command } from 'commander';
import { didYouMean } from '../core/closest.js';
import { ConfigError } from '../core/errors.js';
import type { ProcessorDefinition } from '../core/processor.js';
import { type StepOption, stepOptions } from '../daemon/step-options.js';
import type { Shell } from './shell.js';

export function addList(program: Command, shell: Shell): void {
  program
    .command('list')
    .description('list the steps, formats and store engines there are, or explain one step')
    .argument('[step]', 'name of a step, such as count')
    .action(async (step: string | undefined) => {
      const { builtinProcessors } = await import('../processors/registry.js');
      shell.stdout.write(step === undefined ? await overview(builtinProcessors) : explain(step, builtinProcessors));
    });
}

async function overview(processors: ReadonlyMap<string, ProcessorDefinition>): Promise<string> {
  const { formatNames } = await import('../serdes/formats.js');
  const { storeEngines } = await import('../daemon/store-engines.js');
  const width = Math.max(...[...processors.keys()].map((name) => name.length));
  const steps = [...processors].map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`);
  return section('Steps', steps) + section('Formats', [`  ${formatNames.join(' ')}`]) + section('Store engines', [`  ${[...storeEngines.keys()].join(' ')}`]);
}

function explain(name: string, processors: ReadonlyMap<string, ProcessorDefinition>): string {
  const definition = processors.get(name);
  if (definition === undefined) {
    throw new ConfigError('list/unknown', `no step "${name}"${didYouMean(name, processors.keys())}`, { fix: 'kstreamd list shows them all' });
  }
  const { summary, docs, example, settings, store } = definition;
  const parts = [`${name}: ${summary}\n`];
  if (docs !== undefined) parts.push(`${docs.trim()}\n`);
  parts.push(
    section(
      'Options',
      optionLines(stepOptions(definition.options)).map((line) => `  ${line}`),
    ),
  );
  if (settings?.length) parts.push(section('Settings', [`  ${settings.join(' ')}`]));
  if (store) parts.push(section('Store', [`  one of its own, ${store.engine ?? 'leveldb'}, with ${store.value ?? 'json'} values, and a changelog topic`]));
  if (example !== undefined)
    parts.push(
      section(
        'Example',
        example
          .trim()
          .split('\n')
          .map((line) => `  ${line}`),
      ),
    );
  return parts.join('\n');
}

function section(title: string, lines: readonly string[]): string {
  return `${title}\n${lines.join('\n')}\n`;
}

/** One line an option; of a step that takes a single value, that one. */
function optionLines(options: readonly StepOption[]): string[] {
  if (options.length === 0) return ['none'];
  const width = Math.max(...options.map(({ name }) => name?.length ?? 0));
  return options.map(({ name, description, required }) =>
    name === undefined ? description : `${name.padEnd(width)}  ${description}${required ? ' (required)' : ''}`,
  );
}
