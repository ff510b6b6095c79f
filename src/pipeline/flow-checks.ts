import { didYouMean } from '../core/closest.js';
import type { Position } from '../core/expression.js';
import type { Diagnostics } from './diagnostics.js';
import type { ImpureCall } from './expression.js';
import type { FlowsOfFile } from './flows.js';
import type { Arm, Flow, Input, Output, Step, StoreSpec, TableSpec, TopicInput } from './model.js';

/** What the flows stand beside. */
interface FlowsContext {
  readonly stores: readonly StoreSpec[];
  readonly tables: readonly TableSpec[];
  readonly deadLetter: string | undefined;
  readonly diagnostics: Diagnostics;
}

/** What can only be said of the flows together: references, cycles, shared topics, names of state. */
export function checkFlows(found: FlowsOfFile, { stores, tables, deadLetter, diagnostics }: FlowsContext): void {
  const { flows, impureSteps, impureInputs, unsound } = found;
  checkReferences(flows, diagnostics);
  checkCycles(flows, diagnostics);
  warnUnread(flows, unsound, diagnostics);
  checkTopics(flows, tables, diagnostics);
  if (deadLetter !== undefined) checkDeadLetter([...flows.flatMap(({ from }) => from), ...tables.map(({ input }) => input)], deadLetter, diagnostics);
  for (const flow of flows) {
    checkStateNames(flow, stores, tables, diagnostics);
    checkFormats(flow, flows, diagnostics);
    checkLoops(flow, flows, diagnostics);
    warnImpure(flow.steps, impureSteps, impureInputs.get(flow) ?? [], diagnostics);
  }
}

/** Every step of a list and of the arms in it, in the order written. */
export function allSteps(steps: readonly Step[]): Step[] {
  return steps.flatMap((step) => [step, ...(step.arms ?? []).flatMap((arm) => allSteps(arm.steps))]);
}

/** Every step of some flows, with the name that its state and topics have: `<flow>-<id>`. */
export function namedSteps(flows: readonly Flow[]): { readonly step: Step; readonly longName: string }[] {
  return flows.flatMap(({ name, steps }) => allSteps(steps).map((step) => ({ step, longName: `${name}-${step.id}` })));
}

/** Every output of a flow, those of arms included. */
export function allOutputs(flow: Flow): Output[] {
  const arms = allSteps(flow.steps).flatMap((step): readonly Arm[] => step.arms ?? []);
  return [...arms.flatMap((arm) => arm.to), ...flow.to];
}

export function topicsOf({ to }: Output): readonly string[] {
  return 'topic' in to ? [to.topic] : to.topics;
}

function isStateful({ definition, stores }: Step): boolean {
  return definition.store !== undefined || definition.stores !== undefined || stores.length > 0;
}

function checkReferences(flows: readonly Flow[], diagnostics: Diagnostics): void {
  const names = flows.map(({ name }) => name);
  for (const { position, flow } of flows.flatMap(({ from }) => from.filter((input) => input.kind === 'flow'))) {
    if (!names.includes(flow)) diagnostics.error(position, 'flow/unknown', `no flow "${flow}"${didYouMean(flow, names)}`);
  }
}

/** A circle is reported once, at the first of its flows. */
function checkCycles(flows: readonly Flow[], diagnostics: Diagnostics): void {
  const reported = new Set<string>();
  for (const { name, from } of flows) {
    for (const input of from) {
      const cycle = input.kind === 'flow' ? pathTo(name, input.flow, flows) : undefined;
      const members = cycle?.toSorted().join(' ');
      if (cycle === undefined || members === undefined || reported.has(members)) continue;
      reported.add(members);
      diagnostics.error(input.position, 'flow/cycle', `flows read each other in a circle: ${[name, ...cycle].join(' reads ')}`);
    }
  }
}

/** A flow with errors may have lost the outputs it was written with, so nothing is said of it. */
function warnUnread(flows: readonly Flow[], unsound: ReadonlySet<Flow>, diagnostics: Diagnostics): void {
  const read = new Set(flows.flatMap(({ from }) => from.map((input) => (input.kind === 'flow' ? input.flow : undefined))));
  for (const flow of flows) {
    if (unsound.has(flow)) continue;
    const deadEnd = flow.from.length > 0 && allOutputs(flow).length === 0 && !read.has(flow.name);
    if (deadEnd) diagnostics.warning(flow.position, 'flow/unread', `nothing reads the flow "${flow.name}", and it has no "to"`);
  }
}

/** Flows from `from` on that read one another until `target`; undefined when none does. */
function pathTo(target: string, from: string, flows: readonly Flow[], seen: ReadonlySet<string> = new Set()): string[] | undefined {
  if (from === target) return [target];
  if (seen.has(from)) return undefined;
  for (const input of flows.find(({ name }) => name === from)?.from ?? []) {
    const rest = input.kind === 'flow' ? pathTo(target, input.flow, flows, new Set([...seen, from])) : undefined;
    if (rest !== undefined) return [from, ...rest];
  }
  return undefined;
}

/** A record that fails on its way from the dead letter topic would return to it for ever. */
function checkDeadLetter(inputs: readonly Input[], deadLetter: string, diagnostics: Diagnostics): void {
  for (const input of inputs) {
    if (input.kind !== 'topic' || input.topic !== deadLetter) continue;
    diagnostics.error(
      input.position,
      'flow/dead-letter-loop',
      `"${deadLetter}" is the dead letter topic of this file, so a record that fails would go round for ever`,
      'read it with a pipeline of its own',
    );
  }
}

/** A topic has one source in an application: its readers must agree on how it is read. */
function checkTopics(flows: readonly Flow[], tables: readonly TableSpec[], diagnostics: Diagnostics): void {
  const first = new Map<string, TopicInput>();
  for (const { name, global, input } of tables) {
    if (global) continue; // it is read by itself, in a way of its own
    const message = `"${input.topic}" feeds another table already; a topic feeds one, which several joins can use`;
    if (first.has(input.topic)) diagnostics.error(input.position, 'table/twice', message, `remove "${name}", and join the other`);
    first.set(input.topic, input);
  }
  for (const flow of flows) {
    const own = new Set<string>();
    for (const input of flow.from) {
      if (input.kind !== 'topic') continue;
      if (own.has(input.topic)) diagnostics.error(input.position, 'from/twice', `"${input.topic}" stands twice in one "from"`);
      own.add(input.topic);
      const other = first.get(input.topic);
      const difference = other && differenceOf(input, other);
      if (difference)
        diagnostics.error(
          input.position,
          'from/conflict',
          `"${input.topic}" is read with another ${difference} on ${placeOf(other.position, input.position)}; a topic is read in one way`,
        );
      if (other === undefined) first.set(input.topic, input);
    }
  }
}

function placeOf(position: Position, seenFrom: Position): string {
  return position.file === seenFrom.file ? `line ${position.line}` : `line ${position.line} of ${position.file}`;
}

function differenceOf(a: TopicInput, b: TopicInput): string | undefined {
  if (a.key !== b.key) return 'key format';
  if (a.value !== b.value) return 'value format';
  if (JSON.stringify(a.start) !== JSON.stringify(b.start)) return 'start';
  const extractor = ({ timestamp }: TopicInput): string => (typeof timestamp === 'string' ? timestamp : `= ${timestamp.source}`);
  return extractor(a) === extractor(b) ? undefined : 'timestamp';
}

/** Names of state must not move when a step is inserted, and must not meet. */
function checkStateNames(flow: Flow, stores: readonly StoreSpec[], tables: readonly TableSpec[], diagnostics: Diagnostics): void {
  const seen = new Map<string, Step>();
  for (const step of allSteps(flow.steps)) {
    const named = step.id !== step.operation;
    const other = seen.get(step.id);
    if (other !== undefined && (named || (isStateful(step) && isStateful(other)))) {
      if (named) diagnostics.error(step.position, 'step/duplicate-name', `another step of this flow is named "${step.id}", on line ${other.position.line}`);
      else
        diagnostics.error(
          step.position,
          'state/needs-name',
          `a second "${step.operation}" with state in this flow needs a name, which its store is named after`,
          `name: ${step.operation}-2`,
        );
    }
    if (other === undefined || isStateful(step)) seen.set(step.id, step);
    const implied = `${flow.name}-${step.id}`;
    const table = step.definition.store !== undefined && step.store === undefined && tables.find(({ name }) => name === implied);
    if (table) diagnostics.error(table.position, 'store/conflict', `the store of the step "${step.id}" is named "${implied}" too`, 'rename the table');
    const clash = step.definition.store !== undefined && step.store === undefined && stores.some(({ name }) => name === implied);
    if (clash)
      diagnostics.error(step.position, 'store/conflict', `the store of this step would be "${implied}", which is declared under "stores"`, `store: ${implied}`);
  }
}

/** Topics that end up in a flow, those of the flows it reads included. */
function upstream(flow: Flow, flows: readonly Flow[], seen = new Set<string>()): TopicInput[] {
  if (seen.has(flow.name)) return [];
  seen.add(flow.name);
  return flow.from.flatMap((input) => {
    if (input.kind === 'topic') return [input];
    const source = flows.find(({ name }) => name === input.flow);
    return source ? upstream(source, flows, seen) : [];
  });
}

/** An output takes the formats of the input, so inputs that differ leave them open. */
function checkFormats(flow: Flow, flows: readonly Flow[], diagnostics: Diagnostics): void {
  const inputs = upstream(flow, flows);
  for (const side of ['key', 'value'] as const) {
    const [first, other] = [...new Map(inputs.map((input) => [input[side], input])).values()];
    if (first === undefined || other === undefined) continue;
    for (const output of allOutputs(flow)) {
      if (output[side] !== undefined) continue;
      const message = `the inputs differ ("${first.topic}" has ${first[side]}, "${other.topic}" has ${other[side]}), so the output must name the format of its ${side}`;
      diagnostics.error(output.position, 'format/ambiguous', message, `to: { topic: …, ${side}: ${first[side]} }`);
    }
  }
}

function checkLoops(flow: Flow, flows: readonly Flow[], diagnostics: Diagnostics): void {
  const read = new Set(upstream(flow, flows).map(({ topic }) => topic));
  for (const output of allOutputs(flow)) {
    const topic = topicsOf(output).find((one) => read.has(one));
    if (topic !== undefined) diagnostics.warning(output.position, 'flow/loop', `"${topic}" is read and written by the same flow, so records go round for ever`);
  }
}

/** A replay would give state something else than the first run did. */
function warnImpure(steps: readonly Step[], impure: ReadonlyMap<Step, readonly ImpureCall[]>, before: readonly ImpureCall[], diagnostics: Diagnostics): void {
  let pending = [...before];
  for (const step of allSteps(steps)) {
    if (isStateful(step)) {
      for (const { position, call } of [...pending, ...(impure.get(step) ?? [])]) {
        diagnostics.warning(
          position,
          'expr/impure',
          `${call} gives something else when records are read again, and "${step.id}" after it keeps state`,
          call.startsWith('Math.') ? 'use what the record holds, such as topic, partition and offset' : 'use the record’s timestamp',
        );
      }
      pending = [];
    } else pending.push(...(impure.get(step) ?? []));
  }
}
