import { readFile as readFromDisk } from 'node:fs/promises';
import { basename } from 'node:path';
import type { ProcessorDefinition } from '../core/processor.js';
import type { StoreEngine } from '../core/store.js';
import { loadSchemaLanguages, schemaFormats } from '../serdes/schema-languages.js';
import type { Partitioner } from '../topology/nodes.js';
import { checkName, type Declarations, type PluginResolver } from './declarations.js';
import { type Diagnostic, Diagnostics } from './diagnostics.js';
import { parseDocument, textOf } from './documents.js';
import { checkEngines } from './engine-checks.js';
import { defaultErrorPolicy, readErrorPolicy } from './error-policy.js';
import { ExpressionCompiler } from './expression.js';
import { type Fields, readFields } from './fields.js';
import { type FileAccess, readFileKeys } from './file-keys.js';
import { checkFlows } from './flow-checks.js';
import { readFlows } from './flows.js';
import { FormatTable } from './format-table.js';
import { checkGuarantee } from './guarantee-checks.js';
import { readTopics } from './inputs.js';
import { checkInternalTopics } from './internal-topics.js';
import type { Variables } from './interpolate.js';
import { readKafka } from './kafka-settings.js';
import { DEAD_LETTER_KEYS, TOP_KEYS } from './keys.js';
import { mergeTrees } from './merge.js';
import type { Pipeline, StoreSpec, TableSpec } from './model.js';
import { readBatch, readCache, readCommit } from './pace.js';
import { Reader } from './reader.js';
import { readServe } from './serve-settings.js';
import { readStores } from './store-specs.js';
import { readTables } from './tables.js';
import { readTests } from './tests-block.js';
import { type Entry, type MapNode, positionOf, type TreeNode } from './tree.js';

export interface LoadOptions {
  /** What `${VAR}` reads. */
  readonly env: Variables;
  /** Operations by the name they have in a file. */
  readonly processors: ReadonlyMap<string, ProcessorDefinition>;
  /** Loads what `use:` names; rejects with a ConfigError. */
  resolvePlugin(specifier: string, fromFile: string): Promise<ProcessorDefinition>;
  /** Loads what `partitioner:` names; rejects with a ConfigError. */
  resolvePartitioner?(specifier: string, fromFile: string): Promise<Partitioner>;
  /** Loads what `engine:` names; rejects with a ConfigError. Left out: engines are not checked. */
  resolveStoreEngine?(specifier: string, fromFile: string): Promise<StoreEngine>;
  /** Names of the formats there are. */
  readonly formats: readonly string[];
  readFile?(path: string): Promise<string>;
}

export interface LoadedPipeline {
  /** undefined when any diagnostic is an error. */
  readonly pipeline: Pipeline | undefined;
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Reads one application from one file, or from several laid over each other in the order given, and checks it whole.
 * What is wrong with the files comes back as diagnostics; only defects are thrown.
 */
export async function loadPipeline(files: readonly string[], options: LoadOptions): Promise<LoadedPipeline> {
  const diagnostics = new Diagnostics();
  const readFile = options.readFile ?? ((path: string): Promise<string> => readFromDisk(path, 'utf8'));
  const trees: MapNode[] = [];
  for (const file of files) {
    const read = await (options.readFile ?? readFromDisk)(file).catch((error: unknown) => reportUnreadable(file, error, diagnostics));
    const text = typeof read === 'object' ? textOf(file, read, diagnostics) : read;
    const tree = text === undefined ? undefined : parseDocument(file, text, diagnostics);
    if (tree !== undefined) trees.push(tree);
  }
  const merged =
    diagnostics.errorCount > 0 ? undefined : trees.reduce<TreeNode | undefined>((earlier, later) => (earlier ? mergeTrees(earlier, later) : later), undefined);
  await loadSchemaLanguages(schemaFormatsIn([...trees.map(({ source }) => source.text), ...Object.values(options.env)]));
  const pipeline = merged?.kind === 'map' ? await readPipeline(merged, { ...options, readFile }, files, diagnostics) : undefined;
  return { pipeline: diagnostics.errorCount > 0 ? undefined : pipeline, diagnostics: diagnostics.sorted(files) };
}

/** The formats with a schema that texts speak of, in whatever way. */
function schemaFormatsIn(texts: readonly (string | undefined)[]): string[] {
  return schemaFormats.filter((format) => texts.some((text) => text?.includes(format)));
}

function reportUnreadable(file: string, error: unknown, diagnostics: Diagnostics): undefined {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === undefined) throw error;
  const message = code === 'ENOENT' ? 'no such file' : `the file cannot be read (${code})`;
  return diagnostics.error({ file, line: 1, column: 1 }, 'file/not-found', message);
}

type TopKey = keyof typeof TOP_KEYS;

const GUARANTEES = ['at-least-once', 'exactly-once'] as const;

async function readPipeline(
  tree: MapNode,
  options: LoadOptions & { readFile(path: string): Promise<string> },
  files: readonly string[],
  diagnostics: Diagnostics,
): Promise<Pipeline | undefined> {
  const { env: variables, processors, readFile } = options;
  const reader = new Reader(diagnostics, variables);
  const top = await withFileKeys(tree, { readFile, variables, diagnostics });
  const env = readEnv(top, reader);
  const deadLetter = readDeadLetter(top, reader);
  const byDefault = defaultErrorPolicy(deadLetter);
  const kafkaNode = top.get('kafka');
  const kafka = kafkaNode && readKafka(kafkaNode, reader);
  const formats = new FormatTable(options.formats, reader, kafkaNode?.kind === 'map' && kafkaNode.entries.has('registry'));
  const stores = readStores(top.get('stores'), formats, reader);
  const base = {
    reader,
    expressions: new ExpressionCompiler(diagnostics, env),
    formats,
    processors,
    plugins: pluginsOf(options),
    stores,
    deadLetter,
    onError: readErrorPolicy(top.get('onError'), byDefault.final, deadLetter, reader) ?? byDefault,
  } satisfies Omit<Declarations, 'topics' | 'tables'>;
  const declared = { ...base, topics: readTopics(top.get('topics'), base) };
  const declarations: Declarations = { ...declared, tables: readTables(top.get('tables'), declared) };
  const name = checkName(reader.text(top.get('name'), 'name'), '"name"', positionOf(top.get('name') ?? tree), reader);
  const guarantee = reader.word(top.get('guarantee'), 'guarantee', GUARANTEES) ?? 'at-least-once';
  const found = await readFlows(top, declarations);
  const tables = [...declarations.tables.values()];
  checkFlows(found, { stores: [...stores.values()], tables, deadLetter, diagnostics });
  const settings = {
    batch: readBatch(top.get('batch'), reader),
    commit: readCommit(top.get('commit'), guarantee, reader),
    cacheBytes: readCache(top.get('cache'), reader),
    serve: readServe(top.get('serve'), reader),
  };
  if (guarantee === 'exactly-once') checkGuarantee({ kafkaNode, kafka, commitNode: top.get('commit'), commit: settings.commit }, reader.diagnostics);
  const position = positionOf(top.get('name') ?? tree);
  await checkEngines(
    { stores: [...stores.values(), ...tables.map(engineOf)], flows: found.flows, guarantee, resolve: options.resolveStoreEngine, fromFile: position.file },
    diagnostics,
  );
  const tests = readTests(top.get('tests'), found.flows, declarations, files);
  if (name === undefined || kafka === undefined || diagnostics.errorCount > 0) return undefined;
  checkInternalTopics({ name, position, flows: found.flows, stores: [...stores.values()], deadLetter }, diagnostics);
  return {
    name,
    position,
    kafka,
    guarantee,
    onError: base.onError,
    deadLetter,
    ...settings,
    stores: [...stores.values()],
    tables,
    formats: formats.specs,
    flows: found.flows,
    tests,
  };
}

function engineOf({ name, type, engine, engineAt }: TableSpec): Pick<StoreSpec, 'name' | 'type' | 'engine' | 'engineAt'> {
  return { name, type, engine, ...(engineAt && { engineAt }) };
}

/** The top of the file, with what `xxxFile` keys name read in. */
async function withFileKeys(tree: MapNode, access: FileAccess): Promise<Fields<TopKey>> {
  const entries = new Map<string, Entry>(tree.entries);
  for (const [section, without] of [
    ['kafka', ['client']],
    ['env', []],
    ['serve', []],
  ] as const) {
    const entry = entries.get(section);
    if (entry) entries.set(section, { key: entry.key, value: await readFileKeys(entry.value, access, without) });
  }
  const node = { ...tree, entries };
  return readFields(node, TOP_KEYS, access.diagnostics, fixesFor(tree.source.file));
}

function readEnv(top: Fields<TopKey>, reader: Reader): Readonly<Record<string, unknown>> {
  const map = reader.map(top.get('env'), 'env');
  const entries = [...(map?.entries ?? [])].filter(([key]) => !key.startsWith('x-'));
  return deepFreeze(Object.fromEntries(entries.map(([key, { value }]) => [key, reader.data(value)])));
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(value).forEach(deepFreeze);
  return Object.freeze(value);
}

function readDeadLetter(top: Fields<TopKey>, reader: Reader): string | undefined {
  const node = top.get('deadLetter');
  if (node === undefined) return undefined;
  const topic = node.kind === 'map' ? reader.fields(node, DEAD_LETTER_KEYS, 'deadLetter')?.get('topic') : node;
  return checkName(reader.text(topic, 'deadLetter'), 'the name of a topic', positionOf(topic ?? node), reader);
}

function pluginsOf(options: LoadOptions): PluginResolver {
  return {
    processor: (specifier, fromFile) => options.resolvePlugin(specifier, fromFile),
    partitioner: (specifier, fromFile) => {
      if (options.resolvePartitioner === undefined) throw new Error('loadPipeline was given no resolvePartitioner');
      return options.resolvePartitioner(specifier, fromFile);
    },
  };
}

/** What to write for keys that every file needs. */
function fixesFor(file: string): Readonly<Record<string, string>> {
  const name = basename(file)
    .replace(/\.ya?ml$/, '')
    .replace(/[^a-zA-Z0-9._-]+/g, '-');
  return { name: `name: ${name}`, kafka: 'kafka: localhost:9092' };
}
