import type { Command } from 'commander';
import { z } from 'zod';
import { ConfigError } from '../core/errors.js';
import { syntaxKind } from '../core/expression.js';
import type { ProcessorDefinition } from '../core/processor.js';
import { didYouMean } from '../pipeline/closest.js';
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
      optionLines(definition.options).map((line) => `  ${line}`),
    ),
  );
  if (settings?.length) parts.push(section('Settings', [`  ${settings.join(' ')}`]));
  if (store) parts.push(section('Store', [`  one of its own, ${store.engine ?? 'leveldb'}, with ${store.value ?? 'json'} values`]));
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

interface JsonSchema {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly anyOf?: readonly JsonSchema[];
  readonly items?: JsonSchema;
}

/** One line an option; of a step that takes a single value, that one. */
function optionLines(schema: z.ZodType): string[] {
  const kind = syntaxKind(schema);
  const json = z.toJSONSchema(schema, { unrepresentable: 'any', io: 'input' }) as JsonSchema;
  if (kind !== undefined || json.properties === undefined) return [describe(json, kind)];
  const names = Object.keys(json.properties);
  if (names.length === 0) return ['none'];
  const width = Math.max(...names.map((name) => name.length));
  return names.map(
    (name) => `${name.padEnd(width)}  ${describe(json.properties?.[name] ?? {}, undefined)}${json.required?.includes(name) ? ' (required)' : ''}`,
  );
}

function describe(json: JsonSchema, kind: string | undefined): string {
  const type = kind ?? typeOf(json);
  const initial = json.default === undefined ? '' : ` (default ${JSON.stringify(json.default)})`;
  if (json.description === undefined) return type + initial;
  return (type === '' || json.description.includes(type) ? json.description : `${type}: ${json.description}`) + initial;
}

function typeOf({ type, enum: values, anyOf, items }: JsonSchema): string {
  if (values !== undefined) return values.join(' | ');
  if (anyOf !== undefined) return anyOf.map((one) => one.description ?? typeOf(one)).join(' | ');
  if (type === 'array') return items === undefined ? 'list' : `list of ${items.description ?? typeOf(items)}`;
  return type ?? '';
}
