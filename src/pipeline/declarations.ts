import type { Position } from '../core/expression.js';
import type { ErrorPolicy } from '../core/policy.js';
import type { ProcessorDefinition } from '../core/processor.js';
import type { Partitioner } from '../topology/nodes.js';
import type { ExpressionCompiler, ImpureCall } from './expression.js';
import type { FormatTable } from './format-table.js';
import type { Step, StoreSpec, TableSpec, TopicInput } from './model.js';
import type { Reader } from './reader.js';

/** What `topics:` says about a topic; a `from` or `to` that names it says the rest. */
export type TopicDeclaration = Pick<TopicInput, 'topic'> & Partial<Omit<TopicInput, 'topic' | 'kind'>>;

/** Loads what the file names in other files. Rejects with a ConfigError. */
export interface PluginResolver {
  processor(specifier: string, fromFile: string): Promise<ProcessorDefinition>;
  partitioner(specifier: string, fromFile: string): Promise<Partitioner>;
}

/** What the flows of a file may refer to. */
export interface Declarations {
  readonly reader: Reader;
  readonly expressions: ExpressionCompiler;
  readonly formats: FormatTable;
  readonly processors: ReadonlyMap<string, ProcessorDefinition>;
  readonly plugins: PluginResolver;
  readonly topics: ReadonlyMap<string, TopicDeclaration>;
  readonly stores: ReadonlyMap<string, StoreSpec>;
  readonly tables: ReadonlyMap<string, TableSpec>;
  readonly onError: ErrorPolicy;
  readonly deadLetter: string | undefined;
}

/** What reading steps needs beside; `impure` collects what in a step gives another result at each replay. */
export interface StepsReading extends Declarations {
  readonly impure: Map<Step, readonly ImpureCall[]>;
}

const NAME = /^[a-zA-Z0-9._-]+$/;

/** Kafka's rule for topic names, which names of applications, steps and stores become part of. */
export function checkName(name: string | undefined, what: string, position: Position, reader: Reader): string | undefined {
  if (name === undefined) return undefined;
  if (NAME.test(name) && name.length <= 249 && name !== '.' && name !== '..') return name;
  return reader.diagnostics.error(position, 'schema/name', `${what} may have letters, digits, ".", "_" and "-" only, 249 at most`);
}
