import { type Alias, type Document, isAlias, isMap, isScalar, isSeq, type Pair, type Scalar, type YAMLMap, type Node as YamlNode } from 'yaml';
import type { Position } from '../core/expression.js';
import type { Diagnostics } from './diagnostics.js';
import { type ScalarStyle, sourceOffset } from './scalar-offsets.js';
import type { SourceText } from './source.js';

interface NodeBase {
  readonly source: SourceText;
  /** Bounds of the node as written, as offsets in the source. */
  readonly start: number;
  readonly end: number;
}

export interface ScalarNode extends NodeBase {
  readonly kind: 'scalar';
  /** As YAML 1.2 core types it. */
  readonly value: unknown;
  /** Its decoded text, before any typing: what an expression is compiled from. Empty where nothing is written. */
  readonly text: string;
  readonly style: ScalarStyle;
  /** A tag that stands before it, such as the `!value` that an unquoted expression begins with. */
  readonly tag: string | undefined;
}

export interface ListNode extends NodeBase {
  readonly kind: 'list';
  readonly items: readonly TreeNode[];
  /** Written with `[ ]`. */
  readonly flow: boolean;
}

export interface Entry {
  readonly key: ScalarNode;
  readonly value: TreeNode;
}

export interface MapNode extends NodeBase {
  readonly kind: 'map';
  readonly entries: ReadonlyMap<string, Entry>;
  /** Written with `{ }`. */
  readonly flow: boolean;
}

/** A YAML document with aliases and `<<` followed, each node knowing where it is written. */
export type TreeNode = ScalarNode | ListNode | MapNode;

/** Where a node begins; of a scalar, where the character of its text at `index` stands. */
export function positionOf(node: TreeNode, index = 0): Position {
  if (node.kind !== 'scalar') return node.source.positionAt(node.start);
  return node.source.positionAt(index === 0 && node.style !== 'literal' && node.style !== 'folded' ? node.start : offsetOf(node, index));
}

/** Offset in the source of the character of a scalar's text at `index`. */
export function offsetOf(node: ScalarNode, index: number): number {
  return sourceOffset(node.source.text, node.start, node.end, node.style, node.text, index);
}

/** True for nothing written, `null` and `~`. */
export function isNull(node: TreeNode | undefined): boolean {
  return node === undefined || (node.kind === 'scalar' && node.value === null && node.tag === undefined);
}

const STYLES: Readonly<Record<string, ScalarStyle>> = {
  PLAIN: 'plain',
  QUOTE_SINGLE: 'single',
  QUOTE_DOUBLE: 'double',
  BLOCK_LITERAL: 'literal',
  BLOCK_FOLDED: 'folded',
};

/** How many nodes aliases may stand for in one file, each counted as often as it is reached. */
const MOST_BY_ALIASES = 50_000;

/** Turns a parsed document into a tree; undefined when it holds nothing. */
export function treeOf(document: Document, source: SourceText, diagnostics: Diagnostics): TreeNode | undefined {
  return document.contents === null ? undefined : new TreeBuilder(document, source, diagnostics).node(document.contents as YamlNode);
}

class TreeBuilder {
  private readonly done = new Map<YamlNode, TreeNode>();
  private readonly underWay = new Set<YamlNode>();
  /** Nodes in what a list or map holds, itself and what its aliases stand for included; a scalar is one. */
  private readonly sizes = new Map<TreeNode, number>();
  /** Sum over the aliases as written: what the whole tree has beyond the nodes written out. */
  private byAliases = 0;

  constructor(
    private readonly document: Document,
    private readonly source: SourceText,
    private readonly diagnostics: Diagnostics,
  ) {}

  node(yaml: YamlNode): TreeNode {
    const known = this.done.get(yaml);
    if (known) return known;
    this.underWay.add(yaml);
    const node = this.build(yaml);
    this.underWay.delete(yaml);
    this.done.set(yaml, node);
    this.measure(node);
    return node;
  }

  private measure(node: TreeNode): void {
    if (node.kind === 'scalar' || this.sizes.has(node)) return;
    const children = node.kind === 'list' ? node.items : [...node.entries.values()].map(({ value }) => value);
    this.sizes.set(
      node,
      children.reduce((sum, child) => sum + this.sizeOf(child), 1),
    );
  }

  private sizeOf(node: TreeNode): number {
    return this.sizes.get(node) ?? 1;
  }

  private build(yaml: YamlNode): TreeNode {
    if (isAlias(yaml)) return this.alias(yaml);
    if (isMap(yaml)) return this.map(yaml);
    if (isSeq(yaml)) return { ...this.bounds(yaml), kind: 'list', flow: yaml.flow === true, items: yaml.items.map((item) => this.node(item as YamlNode)) };
    return this.scalar(yaml as Scalar);
  }

  private bounds(yaml: YamlNode): NodeBase {
    const [start, end] = yaml.range ?? [0, 0];
    return { source: this.source, start, end };
  }

  private scalar(yaml: Scalar): ScalarNode {
    const bounds = this.bounds(yaml);
    const tag = yaml.tag?.startsWith('!') ? yaml.tag : undefined;
    const start = tag === undefined ? bounds.start : this.source.text.lastIndexOf(tag, bounds.start);
    const style = STYLES[yaml.type ?? 'PLAIN'] ?? 'plain';
    return { ...bounds, start, kind: 'scalar', value: yaml.value, text: yaml.source ?? '', style, tag };
  }

  private alias(yaml: Alias): TreeNode {
    const exhausted = this.byAliases > MOST_BY_ALIASES;
    const target = exhausted ? undefined : yaml.resolve(this.document);
    if (target !== undefined && !this.underWay.has(target)) return this.expanded(this.node(target), yaml);
    const bounds = this.bounds(yaml);
    const why = target === undefined ? 'this alias has no anchor before it; quote a text that begins with *' : 'this alias stands inside its own anchor';
    if (!exhausted) this.diagnostics.error(this.source.positionAt(bounds.start), 'yaml/alias', why);
    return { ...bounds, kind: 'scalar', value: null, text: '', style: 'plain', tag: undefined };
  }

  /** The target, counted: aliases of aliases would else make a file of a few lines too large to walk. */
  private expanded(target: TreeNode, yaml: Alias): TreeNode {
    this.byAliases += this.sizeOf(target);
    if (this.byAliases > MOST_BY_ALIASES) {
      const message = `the aliases up to this one stand for more than ${MOST_BY_ALIASES} values; write less by alias`;
      this.diagnostics.error(this.source.positionAt(this.bounds(yaml).start), 'yaml/aliases', message);
    }
    return target;
  }

  private map(yaml: YAMLMap): MapNode {
    const entries = new Map<string, Entry>();
    const merged: TreeNode[] = [];
    for (const pair of yaml.items) {
      const key = this.key(pair);
      if (key === undefined) continue;
      const value = pair.value === null ? this.nothingAfter(key) : this.node(pair.value as YamlNode);
      if (key.text === '<<' && key.style === 'plain') merged.push(...(value.kind === 'list' ? value.items : [value]));
      else entries.set(key.text, { key, value });
    }
    for (const node of merged) this.mergeInto(entries, node);
    return { ...this.bounds(yaml), kind: 'map', flow: yaml.flow === true, entries };
  }

  private key(pair: Pair): ScalarNode | undefined {
    const key = pair.key as YamlNode;
    if (isScalar(key)) return this.scalar(key);
    this.diagnostics.error(this.source.positionAt(key.range?.[0] ?? 0), 'yaml/key', 'a key must be text, not a map, a list or an alias');
  }

  private nothingAfter(key: ScalarNode): ScalarNode {
    return { source: this.source, start: key.end, end: key.end, kind: 'scalar', value: null, text: '', style: 'plain', tag: undefined };
  }

  private mergeInto(entries: Map<string, Entry>, node: TreeNode): void {
    if (node.kind !== 'map') this.diagnostics.error(positionOf(node), 'yaml/merge', '"<<" takes a map, an alias of one, or a list of them');
    else for (const [key, entry] of node.entries) if (!entries.has(key)) entries.set(key, entry);
  }
}
