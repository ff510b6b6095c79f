import { z } from 'zod';
import { didYouMean } from '../core/closest.js';
import type { Expression } from '../core/expression.js';
import type { ProcessorDefinition } from '../core/processor.js';
import { checkName, type StepsReading } from './declarations.js';
import { readEmit } from './emit-setting.js';
import { type KeyTable, reportNotYet, reportUnknownKey } from './fields.js';
import { STEP_KEYS } from './keys.js';
import type { Step } from './model.js';
import { readStore } from './store-specs.js';
import { type Entry, isNull, type MapNode, positionOf, type ScalarNode, type TreeNode } from './tree.js';

/** Settings that are options of some operations, and mean nothing on others. */
const OPTIONS: readonly string[] = ['as', 'kind', 'by'];

/** The siblings of a step's operation. */
export class StepSettings {
  private readonly entries: ReadonlyMap<string, Entry>;

  constructor(
    map: MapNode | undefined,
    private readonly operation: string,
    private readonly definition: ProcessorDefinition | undefined,
    private readonly reading: StepsReading,
  ) {
    this.entries = new Map([...(map?.entries ?? [])].filter(([key, entry]) => key !== operation && this.isKnown(key, entry)));
  }

  get(key: keyof typeof STEP_KEYS): TreeNode | undefined {
    const value = this.entries.get(key)?.value;
    return isNull(value) ? undefined : value;
  }

  /** The operation's own value and the settings that are its options, as one map. */
  withOptions(key: ScalarNode, value: TreeNode): MapNode {
    const { source, start, end } = key;
    const options = [...this.entries].filter(([name]) => this.isOption(name));
    return { kind: 'map', flow: false, source, start, end, entries: new Map([[this.operation, { key, value }], ...options]) };
  }

  name(): string | undefined {
    const node = this.get('name');
    return node && checkName(this.reading.reader.text(node, 'name'), 'the name of a step', positionOf(node), this.reading.reader);
  }

  condition(): Expression | undefined {
    const node = this.get('if');
    return node && this.reading.expressions.expression(node, { key: 'if', operation: 'if', flow: false });
  }

  emit(): Step['emit'] {
    return readEmit(this.get('emit'), this.reading.reader);
  }

  store(): Step['store'] {
    const node = this.get('store');
    if (node === undefined) return undefined;
    return node.kind === 'map' ? readStore(node, 'store', this.reading.formats, this.reading.reader, this.definition?.store ?? {}) : this.ownDeclared(node);
  }

  /** A declared store in the place of the step's own: of the type that the step works with. */
  private ownDeclared(node: TreeNode): string | undefined {
    const { reader, stores } = this.reading;
    const name = this.declaredStore(node);
    const type = name === undefined ? undefined : stores.get(name)?.type;
    const wanted = this.definition?.store?.type ?? 'key-value';
    if (type === undefined || type === wanted || this.operation === 'use') return name;
    return reader.diagnostics.error(positionOf(node), 'store/type', `"${name}" is a ${type} store; "${this.operation}" keeps a ${wanted} one`);
  }

  stores(): string[] {
    const node = this.get('stores');
    const names = this.reading.reader.list(node, 'stores')?.items.map((item) => this.declaredStore(item)) ?? [];
    return names.filter((name) => name !== undefined);
  }

  private declaredStore(node: TreeNode): string | undefined {
    const { reader, stores } = this.reading;
    const name = reader.text(node, 'a store');
    if (name === undefined || stores.has(name)) return name;
    return reader.diagnostics.error(positionOf(node), 'store/unknown', `no store "${name}" is declared under "stores"${didYouMean(name, stores.keys())}`);
  }

  private isKnown(key: string, { key: node, value }: Entry): boolean {
    const { diagnostics } = this.reading.reader;
    const doc = Object.hasOwn(STEP_KEYS, key) ? (STEP_KEYS as KeyTable)[key] : undefined;
    if (key.startsWith('x-')) return false;
    if (doc === undefined) reportUnknownKey(key, positionOf(node), value, Object.keys(STEP_KEYS), diagnostics);
    else if (doc.notYet) reportNotYet(key, positionOf(node), diagnostics);
    else if (!this.applies(key)) diagnostics.error(positionOf(node), 'step/setting', `"${key}" means nothing on "${this.operation}"${this.reason(key)}`);
    else return true;
    return false;
  }

  private isOption(key: string): boolean {
    const { beside, options } = this.definition ?? {};
    return beside === true && options instanceof z.ZodObject && Object.hasOwn(options.shape, key);
  }

  /** Whether the operation takes this setting; one that could not be loaded takes all. */
  private applies(key: string): boolean {
    if (OPTIONS.includes(key)) return this.definition === undefined || this.isOption(key);
    if (key === 'with' || key === 'stores') return this.operation === 'use';
    if (this.definition === undefined || (key !== 'if' && key !== 'emit' && key !== 'store')) return true;
    if (this.operation !== 'use') return this.definition.settings?.includes(key) ?? false;
    const settings = this.definition.settings ?? this.reading.processors.get('use')?.settings ?? ['if'];
    return settings.includes(key) && !(key === 'if' && this.definition.changesKey);
  }

  private reason(key: string): string {
    if (key === 'with' || key === 'stores') return ', only on "use"';
    return key === 'if' ? ': a record that it passes over would leave in another form; use a branch' : '';
  }
}
