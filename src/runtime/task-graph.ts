import { inSequence, type MaybePromise } from '../core/maybe.js';
import type { StreamRecord } from '../core/record.js';
import type { Sink, TopicPartition } from '../core/transport.js';
import type { SourceNode } from '../topology/nodes.js';
import type { Subtopology, Topology } from '../topology/topology.js';
import { NodeContext, type TaskView } from './context.js';
import { Forwarding } from './forwarding.js';
import type { OutputBuffer } from './outputs.js';
import { ProcessorRunner } from './processor-runner.js';
import type { Receiver } from './receiver.js';
import { SinkRunner } from './sink-runner.js';

/** Hands an array of a source's records to the nodes below it. */
export type Dispatch = (records: StreamRecord[]) => MaybePromise<void>;

/** The nodes of one task, wired children first so that each knows whom it forwards to. */
export class TaskGraph {
  private readonly receivers = new Map<string, Receiver>();
  /** Parents before children. */
  private readonly processors: ProcessorRunner[] = [];
  private readonly entrances = new Map<string, Dispatch>();

  constructor(
    private readonly topology: Topology,
    private readonly subtopology: Subtopology,
    private readonly options: {
      task: TaskView;
      outputs: OutputBuffer;
      sink: Sink;
      partitionCount: (topic: string) => number;
      enter: (node: string) => void;
    },
  ) {
    for (const name of [...subtopology.nodes].reverse()) this.wire(name);
  }

  /** Runs every processor's `init`, parents first. */
  init(): MaybePromise<void> {
    return inSequence(this.processors.length, (i) => this.processors[i]?.init());
  }

  close(): MaybePromise<void> {
    return inSequence(this.processors.length, (i) => this.processors[i]?.close());
  }

  dispatch(source: SourceNode, records: StreamRecord[]): MaybePromise<void> {
    return this.entrances.get(source.name)?.(records);
  }

  processor(name: string): ProcessorRunner | undefined {
    return this.processors.find((one) => one.name === name);
  }

  reset(): void {
    for (const receiver of this.receivers.values()) receiver.reset();
  }

  private wire(name: string): void {
    const { task, outputs, sink, partitionCount, enter } = this.options;
    const node = this.topology.nodes.get(name);
    const single = this.subtopology.single.has(name);
    const children = (this.topology.children.get(name) ?? []).map((child) => this.receivers.get(child) as Receiver);
    if (node?.kind === 'sink') this.receivers.set(name, new SinkRunner(node, outputs, sink.maxRecordBytes, partitionCount, enter));
    if (node?.kind === 'source') this.entrances.set(name, entrance(name, children, single));
    if (node?.kind === 'processor') {
      const forwarding = new Forwarding(name, children, single);
      const context = new NodeContext(name, node.stores, task, forwarding, node.foreign === true);
      const runner = new ProcessorRunner(node, context, forwarding, single, enter);
      this.receivers.set(name, runner);
      this.processors.unshift(runner);
    }
  }
}

function entrance(name: string, children: readonly Receiver[], single: boolean): Dispatch {
  const only = children[0];
  if (children.length === 1 && only) return (records) => only.receive(records);
  const forwarding = new Forwarding(name, children, single);
  return (records) => {
    forwarding.reset();
    forwarding.many(records, undefined);
    return forwarding.complete();
  };
}

/** The partitions a task reads: its own number of every topic that has that many. */
export function inputsOf(subtopology: Subtopology, partition: number, count: (topic: string) => number): TopicPartition[] {
  return subtopology.topics.filter((topic) => partition < count(topic)).map((topic) => ({ topic, partition }));
}
