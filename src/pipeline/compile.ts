import { Template } from '../core/expression.js';
import type { JoinedStore } from '../core/processor.js';
import type { Serde } from '../core/serde.js';
import type { StoreDefinition } from '../core/store.js';
import { TableNode } from '../runtime/tables/table-node.js';
import type { FormatSpec } from '../serdes/format-spec.js';
import { formatNames } from '../serdes/formats.js';
import { msgpack } from '../serdes/msgpack.js';
import { SerdeSet, type SerdeUse } from '../serdes/serde-set.js';
import { TopologyBuilder } from '../topology/builder.js';
import type { Topology } from '../topology/topology.js';
import { EmitEveryProcessor } from './emit-every.js';
import type { Arm, EmitEvery, Flow, Output, Pipeline, Step, TableSpec, TopicInput } from './model.js';
import { type Ahead, aheadOfFlow, isStateful, nothingAhead, readsFlow, stateAhead } from './state-ahead.js';
import { PassOn, processorFactory } from './step-factory.js';
import { type ImpliedStore, storesOf, waitingStore } from './step-stores.js';
import { storeDefinition, tableDefinition } from './store-definition.js';
import { CompileError, formatOf, mergeStreams, NO_STREAM, type Stream } from './stream.js';
import { timestampExtractor } from './timestamps.js';

export interface CompileOptions {
  /** What `timestamp: wall-clock` reads, in epoch milliseconds. */
  readonly now?: () => number;
  /** false: no store gets a changelog or copies, for a cluster that cannot make topics. */
  readonly changelogs?: boolean;
  /** Made from the pipeline's formats; without a registry unless given. To be opened before the topology runs. */
  readonly serdes?: SerdeSet;
}

/** What passes between the tasks of one application has the values as steps have them: bytes, bigints and all. */
const BETWEEN_TASKS = msgpack('msgpack as bigint', true);

/**
 * Turns a pipeline that `loadPipeline` found sound into the topology that runs it. Nodes are named `<flow>-<id>`, sources `from-<topic>` and
 * sinks `<flow>-to-<topic>`. Throws a CompileError, or the builder's TopologyError.
 */
export function compile(pipeline: Pipeline, options: CompileOptions = {}): Topology {
  return new Compiler(pipeline, options).run();
}

class Compiler {
  private readonly builder: TopologyBuilder;
  private readonly flowEnds = new Map<string, Stream>();
  private readonly nodeNames = new Set<string>();
  private readonly repartitions = new Set<string>();
  private readonly now: () => number;
  private readonly serdes: SerdeSet;

  constructor(
    private readonly pipeline: Pipeline,
    private readonly options: CompileOptions,
  ) {
    this.now = options.now ?? Date.now;
    this.serdes = options.serdes ?? new SerdeSet(pipeline.formats);
    this.builder = new TopologyBuilder(pipeline.name);
  }

  run(): Topology {
    for (const store of this.pipeline.stores) this.addStore(store);
    for (const table of this.pipeline.tables) this.addTable(table);
    for (const flow of this.pipeline.flows) this.endOf(flow);
    return this.builder.build();
  }

  /** What leaves the flow's last step; compiles the flow, and those it reads, when first asked. */
  private endOf(flow: Flow): Stream {
    const known = this.flowEnds.get(flow.name);
    if (known) return known;
    const input = mergeStreams(flow.from.map((one) => (one.kind === 'topic' ? this.source(one) : this.endOf(this.flowNamed(one.flow)))));
    const end = this.steps(flow, flow.steps, input, aheadOfFlow(flow, this.pipeline.flows));
    this.outputs(flow, flow.to, end);
    this.flowEnds.set(flow.name, end);
    if (end.parents.length === 0) this.refuseReadersOf(flow);
    return end;
  }

  private flowNamed(name: string): Flow {
    const flow = this.pipeline.flows.find((one) => one.name === name);
    if (!flow) throw new RangeError(`the pipeline has no flow "${name}"`);
    return flow;
  }

  private refuseReadersOf({ name }: Flow): void {
    const reader = this.pipeline.flows.find((flow) => readsFlow(flow, name));
    if (!reader) return;
    throw new CompileError('flow/empty', reader.position, `no record leaves the flow "${name}": every arm of its branch has a "to"`, 'read the arms’ topics');
  }

  /** A topic has one source node, which all flows that read it share. */
  private source({ topic, key, value, timestamp, start, position }: TopicInput): Stream {
    const name = `from-${topic}`;
    if (!this.nodeNames.has(name)) {
      this.nodeNames.add(name);
      this.builder.addSource({
        name,
        topics: [topic],
        key: this.serde(key, 'read'),
        value: this.serde(value, 'read'),
        timestamp: timestampExtractor(timestamp, this.now),
        start,
        position,
      });
    }
    return { parents: [name], key, value };
  }

  private steps(flow: Flow, steps: readonly Step[], input: Stream, after: Ahead): Stream {
    let stream = input;
    for (const [i, step] of steps.entries()) {
      if (stream.parents.length === 0) {
        throw new CompileError('step/unreachable', step.position, 'no record reaches this step: every arm of the branch before it has a "to"');
      }
      stream = this.step(flow, step, stream, () => stateAhead(steps, i + 1, after));
    }
    return stream;
  }

  private step(flow: Flow, step: Step, input: Stream, ahead: Ahead): Stream {
    const node = this.uniqueNode(`${flow.name}-${step.id}`);
    const arms = step.arms?.map((_, i) => this.uniqueNode(`${node}-arm${i + 1}`));
    if (step.joined) this.checkJoin(step, step.joined, input);
    const stores = isStateful(step) || step.joined ? this.connectStores(flow, step, input) : {};
    const { definition, position, onError } = step;
    this.builder.addProcessor(
      {
        name: node,
        create: processorFactory(step, {
          id: step.id,
          node,
          emit: typeof step.emit === 'object' ? 'update' : step.emit,
          ...(arms && { arms }),
          ...(step.joined && { joined: step.joined }),
        }),
        stores,
        foreign: step.operation === 'use',
        atMostOne: definition.atMostOne,
        position,
        onError,
      },
      input.parents,
    );
    const output: Stream = { ...input, parents: [node] };
    if (step.arms) return this.arms(flow, step.arms, arms ?? [], output, ahead);
    const { emit } = step;
    const rekeyed = definition.changesKey ? this.rekeyed(flow, step, output, typeof emit === 'object' ? () => true : ahead) : output;
    return typeof emit === 'object' ? this.thinned(flow, step, emit, rekeyed) : rekeyed;
  }

  /** Lets the latest result of each key pass, once in a time (W5). */
  private thinned(flow: Flow, step: Step, emit: EmitEvery, input: Stream): Stream {
    const { position, onError } = step;
    const node = this.uniqueNode(`${flow.name}-${step.id}-emit`);
    const store = waitingStore(step, `${flow.name}-${step.id}`, this.pipeline.stores);
    this.addStore(store);
    const keys = this.serde(this.storeKey(formatOf(input, 'key', position, 'give the inputs one key format'), step), 'write');
    this.builder.addProcessor(
      { name: node, create: () => new EmitEveryProcessor(emit, keys, node), stores: { [store.name]: store.name }, position, onError },
      input.parents,
    );
    return { ...input, parents: [node] };
  }

  private connectStores(flow: Flow, step: Step, input: Stream): Readonly<Record<string, string>> {
    const fix = 'give the inputs one key format, or the store its own "key"';
    const { connected, implied } = storesOf(step, `${flow.name}-${step.id}`, () => this.storeKey(formatOf(input, 'key', step.position, fix), step));
    for (const store of implied) this.addStore(store);
    return connected;
  }

  /** A key's bytes must stay the same while writers' schemas change. */
  private storeKey(format: string, step: Step): string {
    const spec = this.pipeline.formats.get(format);
    const registered = spec !== undefined && 'subject' in spec && spec.subject !== undefined;
    if (!registered) return format;
    const finding = 'the keys of this step are in a schema registry’s format, and a store keeps its bytes by itself';
    throw new CompileError('format/registry-store', step.position, finding, 'store: { key: json }');
  }

  private addStore(store: ImpliedStore): void {
    this.builder.addStore(this.kept(storeDefinition(this.pipeline.name, store)));
  }

  private kept(definition: StoreDefinition): StoreDefinition {
    return this.options.changelogs === false ? { ...definition, changelog: undefined, standby: 0 } : definition;
  }

  /** A table's node stands beside the flows: it fills the store from the topic, which is the changelog too (S5). */
  private addTable(table: TableSpec): void {
    const { name, input, engine, position } = table;
    const { topic, key, value } = input;
    if (table.global) {
      for (const format of [key, value]) this.serde(format, 'read');
      this.builder.addGlobalTable({ name, topic, engine, key, value });
      return;
    }
    const node = this.uniqueNode(`table-${name}`);
    this.builder.addStore(this.kept(tableDefinition(table)));
    this.builder.addProcessor(
      { name: node, create: () => new TableNode(node, name), stores: { [name]: name }, atMostOne: true, position },
      this.source(input).parents,
    );
  }

  /** Equal keys must have equal bytes, and lie in the same partition. */
  private checkJoin({ operation, options, position }: Step, { name, key, global }: JoinedStore, input: Stream): void {
    if (operation !== 'join' || (global && (options as { by?: unknown }).by !== undefined)) return;
    const own = formatOf(input, 'key', position, 'give the inputs one key format');
    if (own === key) return;
    const finding = `the records have ${own} keys here, and "${name}" has ${key} ones, so no key would be found`;
    throw new CompileError('join/key-format', position, finding, global ? 'by: …' : keyFix(own, key, name));
  }

  private arms(flow: Flow, arms: readonly Arm[], nodes: readonly string[], input: Stream, ahead: Ahead): Stream {
    const ends = arms.map((arm, i): Stream => {
      const node = nodes[i] ?? '';
      this.builder.addProcessor({ name: node, create: () => new PassOn(), atMostOne: true, position: arm.position }, input.parents);
      const end = this.steps(flow, arm.steps, { ...input, parents: [node] }, arm.to.length > 0 ? nothingAhead : ahead);
      if (arm.to.length === 0) return end;
      this.outputs(flow, arm.to, end);
      return NO_STREAM;
    });
    return mergeStreams(ends);
  }

  /** After a change of keys; equal keys meet in one task through a topic when there is state ahead (S16). */
  private rekeyed(flow: Flow, step: Step, input: Stream, ahead: Ahead): Stream {
    const key = step.operation === 'keyBy' ? (step.options instanceof Template ? 'json' : 'string') : input.key;
    const output: Stream = { ...input, key };
    if (!ahead()) return output;
    const { position } = step;
    const name = `${flow.name}-${step.id}`;
    if (this.repartitions.has(name)) {
      throw new CompileError(
        'state/needs-name',
        position,
        `two steps "${step.id}" of the flow "${flow.name}" would share a repartition topic`,
        'give each a "name"',
      );
    }
    this.repartitions.add(name);
    const fix = 'give the inputs one format';
    const keySerde = this.betweenTasks(formatOf(output, 'key', position, fix));
    const valueSerde = this.betweenTasks(formatOf(output, 'value', position, fix));
    return { ...output, parents: [this.builder.addRepartition({ name, key: keySerde, value: valueSerde, position }, output.parents)] };
  }

  private outputs(flow: Flow, outputs: readonly Output[], stream: Stream): void {
    for (const { to, key, value, partitioner, position } of outputs) {
      if (stream.parents.length === 0)
        throw new CompileError('step/unreachable', position, 'no record reaches this output: every arm of the branch before it has a "to"');
      this.builder.addSink(
        {
          name: this.uniqueNode(`${flow.name}-to-${'topic' in to ? to.topic : 'route'}`),
          to: 'topic' in to ? to : { topics: to.topics, route: to.route.evaluate },
          key: this.serde(key ?? formatOf(stream, 'key', position, 'say which "key" format this output has'), 'write'),
          value: this.serde(value ?? formatOf(stream, 'value', position, 'say which "value" format this output has'), 'write'),
          partitioner,
          position,
        },
        stream.parents,
      );
    }
  }

  private serde(format: string, use: SerdeUse): Serde<unknown> {
    const found = this.serdes.get(format, use);
    if (found) return found;
    throw new RangeError(`no format "${format}"; there are ${formatNames.join(', ')}`);
  }

  /** A step before may have made values that the schema of the input has no room for. */
  private betweenTasks(format: string): Serde<unknown> {
    return hasSchema(this.pipeline.formats.get(format)) ? BETWEEN_TASKS : this.serde(format, 'write');
  }

  /** `name`, or `name-2` and so on where another node has it. */
  private uniqueNode(name: string): string {
    let unique = name;
    for (let n = 2; this.nodeNames.has(unique); n++) unique = `${name}-${n}`;
    this.nodeNames.add(unique);
    return unique;
  }
}

function hasSchema(spec: FormatSpec | undefined): boolean {
  return spec !== undefined && 'schema' in spec;
}

/** `keyBy` makes string and json keys only. */
function keyFix(own: string, key: string, name: string): string {
  const stream = key === 'string' || key === 'json' ? 'a step "keyBy" before the join' : `key: ${key} in "from", where the topic has such keys`;
  return `${stream}, or key: ${own} for "${name}"`;
}
