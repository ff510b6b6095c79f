import { dirname, resolve } from 'node:path';
import type { SchemaText } from '../core/schema-registry.js';
import type { FormatSpec, SchemaSpec } from '../serdes/format-spec.js';
import { type Schema, SchemaError, type SchemaLanguage } from '../serdes/schema-language.js';
import { schemaFormats, schemaLanguage } from '../serdes/schema-languages.js';
import type { Fields } from './fields.js';
import type { FORMAT_KEYS } from './keys.js';
import { type Reader, shownText } from './reader.js';
import { readSchemaFile, SchemaFileError } from './schema-files.js';
import { positionOf, type ScalarNode, type TreeNode } from './tree.js';

export type Side = 'key' | 'value';

/** Where a format is named: stores keep their bytes by themselves. */
export type FormatPlace = 'topic' | 'store';

type FormatFields = Fields<keyof typeof FORMAT_KEYS>;

/** Stands for the subject of whichever topic the format is used on. */
const OF_TOPIC = '*';

/** Formats that need a schema: from a file, or from a registry. */
export class SchemaFormats {
  constructor(
    private readonly reader: Reader,
    private readonly registry: boolean,
    private readonly specs: Map<string, FormatSpec>,
  ) {}

  has(name: string): boolean {
    return schemaFormats.includes(name);
  }

  /** The name of the format; `node` is where it is named. */
  read(format: string, node: TreeNode, fields: FormatFields | undefined, place: FormatPlace): string | undefined {
    const { reader, registry } = this;
    const { diagnostics } = reader;
    const before = diagnostics.errorCount;
    const language = schemaLanguage(format);
    const schemaNode = fields?.get('schema');
    const subject = reader.text(fields?.get('subject'), 'subject');
    const message = reader.text(fields?.get('message'), 'message');
    const bigint = reader.word(fields?.get('as'), 'as', ['bigint']) !== undefined;
    if (fields) this.checkSettings(format, fields);
    if (subject !== undefined && fields && !registry)
      return diagnostics.error(fields.keyPosition('subject'), 'format/needs-registry', 'a subject is one of a schema registry', 'kafka: { registry: URL }');
    if (schemaNode === undefined && !registry)
      return diagnostics.error(
        positionOf(node),
        'format/needs-schema',
        `${format} needs a schema`,
        `{ format: ${format}, schema: ./FILE }, or kafka: { registry: URL }`,
      );
    const registered = subject !== undefined || schemaNode === undefined;
    if (registered && place === 'store')
      return diagnostics.error(
        positionOf(fields?.has('subject') ? (fields.get('subject') as TreeNode) : node),
        'format/registry-store',
        'a store keeps its bytes by itself, without a schema registry',
        `{ format: ${format}, schema: ./FILE }, or another format`,
      );
    const file = schemaNode === undefined ? undefined : this.schema(schemaNode, language, { message, bigint });
    if (diagnostics.errorCount > before) return undefined;
    const under = registered ? (subject ?? OF_TOPIC) : undefined;
    return this.add({ format: language.format, name: '', schema: file?.text, subject: under, message, bigint }, file?.schema);
  }

  at(topic: string, side: Side, name: string): string {
    const spec = this.specs.get(name);
    if (spec === undefined || !('subject' in spec) || spec.subject !== OF_TOPIC) return name;
    const renamed = { ...spec, name: spec.name.replace(`subject ${OF_TOPIC}`, `subject ${topic}-${side}`), subject: `${topic}-${side}` };
    this.specs.set(renamed.name, renamed);
    return renamed.name;
  }

  private checkSettings(format: string, fields: FormatFields): void {
    const { diagnostics } = this.reader;
    if (fields.has('message') && format !== 'protobuf')
      diagnostics.error(fields.keyPosition('message'), 'format/setting', `"message" means nothing with the format ${format}`);
    if (fields.has('as') && format === 'json-schema')
      diagnostics.error(fields.keyPosition('as'), 'format/setting', '"as" means nothing with the format json-schema, which has no integers of 64 bits');
  }

  private schema(
    node: TreeNode,
    language: SchemaLanguage,
    options: { message: string | undefined; bigint: boolean },
  ): { text: SchemaText; schema: Schema } | undefined {
    const path = this.reader.text(node, 'schema');
    if (path === undefined) return undefined;
    const { diagnostics } = this.reader;
    try {
      const text = readSchemaFile(resolve(dirname(node.source.file), path), language);
      return { text, schema: language.parse(text, options) };
    } catch (error) {
      if (error instanceof SchemaFileError) return diagnostics.error(positionOf(node), 'file/not-found', error.message, error.fix);
      if (!(error instanceof SchemaError)) throw error;
      return this.refuse(error, node as ScalarNode, options.message);
    }
  }

  private refuse({ message, line, messages }: SchemaError, node: ScalarNode, asked: string | undefined): undefined {
    const shown = shownText(node)?.slice(1, -1) ?? 'the schema';
    const place = line === undefined ? shown : `${shown}:${line}`;
    if (messages === undefined) return this.reader.diagnostics.error(positionOf(node), 'format/schema', `${place}: ${message}`);
    const code = asked === undefined ? 'format/needs-message' : 'format/unknown-message';
    return this.reader.diagnostics.error(positionOf(node), code, `${place}: ${message}`, messages[0] && `message: ${messages[0]}`);
  }

  /** Equal names must mean equal bytes: the subject tells formats apart, and so does what the schema says. */
  private add(spec: SchemaSpec, schema: Schema | undefined): string {
    const said = [
      spec.subject === undefined ? '' : `subject ${spec.subject}`,
      schema === undefined ? '' : schema.identity,
      schema === undefined && spec.message !== undefined ? spec.message : '',
    ].filter((part) => part !== '');
    const name = `${spec.format} (${said.join(', ')})${spec.bigint ? ' as bigint' : ''}`;
    this.specs.set(name, { ...spec, name });
    return name;
  }
}
