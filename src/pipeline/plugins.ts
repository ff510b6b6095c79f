import { z } from 'zod';
import { ConfigError } from '../core/errors.js';
import { defineProcessor, isProcessorDefinition, type Processor, type ProcessorDefinition } from '../core/processor.js';
import type { StoreEngine } from '../core/store.js';
import type { Partitioner } from '../topology/nodes.js';
import { type ImportOptions, importPlugin, type PluginExport } from './plugin-module.js';

/**
 * The processor that `use:` names. Takes what `defineProcessor` returns, or a class with `process` or `processBatch`,
 * whose constructor gets the options as they are written. Throws a ConfigError whose code starts with `plugin/`.
 */
export async function resolvePlugin(specifier: string, fromFile: string, options?: ImportOptions): Promise<ProcessorDefinition> {
  const found = await importPlugin(specifier, fromFile, options);
  if (isProcessorDefinition(found.value)) return complete(found.value, specifier);
  if (isProcessorClass(found.value)) return definitionOf(found.value);
  throw notA('processor', found, 'export what defineProcessor({ … }) returns, or a class with process(record)');
}

/** The types of `defineProcessor` say the same, but not to JavaScript. */
function complete(definition: ProcessorDefinition, specifier: string): ProcessorDefinition {
  const { options, create }: Partial<ProcessorDefinition> = definition;
  if (typeof create !== 'function') {
    throw new ConfigError('plugin/not-a-processor', `"${specifier}" has no function create`, { fix: 'write create(options) { … }, which returns a processor' });
  }
  if (typeof options?.safeParseAsync === 'function' && typeof options.def === 'object') return definition;
  throw new ConfigError('plugin/not-a-processor', `the options of "${specifier}" are no schema of zod 4`, {
    fix: 'write options: z.strictObject({ … }), with import { z } from "zod"; a processor without options has z.strictObject({})',
  });
}

/** The function that `partitioner: ./file.js#name` names. */
export async function resolvePartitioner(specifier: string, fromFile: string, options?: ImportOptions): Promise<Partitioner> {
  const found = await importPlugin(specifier, fromFile, options);
  if (typeof found.value === 'function') return found.value as Partitioner;
  throw notA('partitioner', found, 'export a function (key, partitions, record) that returns a partition number');
}

/** The store engine that `engine: ./file.js#name` names. */
export async function resolveStoreEngine(specifier: string, fromFile: string, options?: ImportOptions): Promise<StoreEngine> {
  const found = await importPlugin(specifier, fromFile, options);
  if (isStoreEngine(found.value)) return found.value;
  if (isEngineClass(found.value)) return new found.value();
  throw notA('store engine', found, 'export an object { persistent, open({ store, directory }) }, or a class that makes one');
}

/** `static async = true` says what `async` of a definition does. */
type ProcessorClass = (new (options: unknown) => Processor) & { readonly async?: boolean };

function isProcessorClass(value: unknown): value is ProcessorClass {
  if (typeof value !== 'function' || typeof value.prototype !== 'object' || value.prototype === null) return false;
  return typeof value.prototype.process === 'function' || typeof value.prototype.processBatch === 'function';
}

function definitionOf(Class: ProcessorClass): ProcessorDefinition {
  const { async } = Class;
  return defineProcessor({ summary: `The class ${Class.name}.`, options: z.unknown(), ...(async && { async }), create: (options) => new Class(options) });
}

function isStoreEngine(value: unknown): value is StoreEngine {
  if (typeof value !== 'object' || value === null) return false;
  return ('open' in value && typeof value.open === 'function') || ('openTask' in value && typeof value.openTask === 'function');
}

function isEngineClass(value: unknown): value is new () => StoreEngine {
  return typeof value === 'function' && isStoreEngine(value.prototype);
}

function notA(kind: string, { specifier, value }: PluginExport, fix: string): ConfigError {
  const code = kind === 'processor' ? 'plugin/not-a-processor' : kind === 'partitioner' ? 'plugin/not-a-partitioner' : 'plugin/not-a-store-engine';
  const what = value === null || value === undefined ? String(value) : typeof value === 'object' ? 'an object' : `a ${typeof value}`;
  return new ConfigError(code, `"${specifier}" is ${what}, not a ${kind}`, { fix });
}
