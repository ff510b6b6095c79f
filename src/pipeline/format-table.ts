import type { FormatSpec } from '../serdes/format-spec.js';
import { windowedName } from '../serdes/windowed.js';
import { readFormatName } from './format-names.js';
import { FORMAT_KEYS, WINDOWED_KEYS } from './keys.js';
import type { Reader } from './reader.js';
import { type FormatPlace, SchemaFormats, type Side } from './schema-formats.js';
import { type MapNode, positionOf, type TreeNode } from './tree.js';

/** The formats that the files of one application name; each is a name, which says everything about short ones. */
export class FormatTable {
  /** What long forms say, by the names made for them. */
  readonly specs = new Map<string, FormatSpec>();
  private readonly schemas: SchemaFormats;

  constructor(
    private readonly names: readonly string[],
    private readonly reader: Reader,
    /** `kafka.registry` is there. */
    registry: boolean,
  ) {
    this.schemas = new SchemaFormats(reader, registry, this.specs);
  }

  /** The name of the format that stands here; what is wrong with it is reported. */
  read(node: TreeNode | undefined, side: Side, place: FormatPlace): string | undefined {
    if (node === undefined) return undefined;
    if (node.kind !== 'map') {
      const name = readFormatName(node, side, this.names, this.reader);
      return name !== undefined && this.schemas.has(name) ? this.schemas.read(name, node, undefined, place) : name;
    }
    return node.entries.has('windowed') ? this.windowed(node, side, place) : this.long(node, side, place);
  }

  /** The format as it is on a topic: a subject that was not named is the topic's. */
  at(topic: string, side: Side, name: string | undefined): string | undefined {
    const spec = name === undefined ? undefined : this.specs.get(name);
    if (spec?.format !== 'windowed') return name && this.schemas.at(topic, side, name);
    return this.add({ ...spec, inner: this.at(topic, side, spec.inner) ?? spec.inner });
  }

  /** The same for an output with a choice of topics, which has no subject unless one is named. */
  anywhere(node: TreeNode | undefined, name: string | undefined): string | undefined {
    if (node === undefined || name === undefined || this.at('', 'value', name) === name) return name;
    return this.reader.diagnostics.error(positionOf(node), 'format/needs-subject', 'a route has many topics, and so no subject of its own', 'subject: NAME');
  }

  private long(node: MapNode, side: Side, place: FormatPlace): string | undefined {
    const { reader, names } = this;
    const fields = reader.fields(node, FORMAT_KEYS, `the format of the ${side}`);
    const format = fields?.get('format');
    if (fields === undefined || format === undefined) return undefined;
    const name = readFormatName(format, side, names, reader);
    if (name === undefined) return undefined;
    if (this.schemas.has(name)) return this.schemas.read(name, format, fields, place);
    for (const key of ['schema', 'subject', 'message'] as const) {
      if (fields.has(key)) return reader.diagnostics.error(fields.keyPosition(key), 'format/setting', `"${key}" means nothing with the format ${name}`);
    }
    const bigint = reader.word(fields.get('as'), 'as', ['bigint']) !== undefined;
    if (!bigint) return name;
    if (name !== 'int64' && name !== 'msgpack')
      return reader.diagnostics.error(
        fields.keyPosition('as'),
        'format/setting',
        `"as" means nothing with the format ${name}, which has no integers of 64 bits`,
      );
    return this.add({ format: name, name: `${name} as bigint` });
  }

  private windowed(node: MapNode, side: Side, place: FormatPlace): string | undefined {
    const { reader } = this;
    const fields = reader.fields(node, WINDOWED_KEYS, `the format of the ${side}`);
    const inner = this.read(fields?.get('windowed'), side, place);
    const size = reader.duration(fields?.get('size'), 'size');
    const session = reader.boolean(fields?.get('session'), 'session') ?? false;
    if (fields === undefined || inner === undefined) return undefined;
    if (side === 'value') return reader.diagnostics.error(fields.keyPosition('windowed'), 'format/windowed', 'only a key has a window');
    if (session && size !== undefined)
      return reader.diagnostics.error(fields.keyPosition('size'), 'format/windowed', 'a session has its length in the key; remove "size"');
    return this.add({ format: 'windowed', name: '', inner, size, session });
  }

  private add(spec: FormatSpec): string {
    const named = spec.format === 'windowed' ? { ...spec, name: windowedName(spec) } : spec;
    this.specs.set(named.name, named);
    return named.name;
  }
}
