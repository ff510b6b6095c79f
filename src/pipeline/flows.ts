import type { Position } from '../core/expression.js';
import { checkName, type Declarations, type StepsReading } from './declarations.js';
import type { ImpureCall } from './expression.js';
import type { Fields } from './fields.js';
import { readInputs } from './inputs.js';
import { FLOW_KEYS } from './keys.js';
import type { Flow } from './model.js';
import { readOutputs } from './outputs.js';
import { readSteps } from './steps.js';
import { positionOf, type TreeNode } from './tree.js';

/** The flows of a file, and what in them gives another result at each replay. */
export interface FlowsOfFile {
  readonly flows: Flow[];
  readonly impureSteps: StepsReading['impure'];
  /** Calls in `from`, by flow. */
  readonly impureInputs: ReadonlyMap<Flow, readonly ImpureCall[]>;
  /** Flows with errors, which may have cost them steps or outputs. */
  readonly unsound: ReadonlySet<Flow>;
}

type FlowKey = keyof typeof FLOW_KEYS;

/** `flows:`, or the one flow at the top of the file, named `main`. */
export async function readFlows(top: Fields<FlowKey | 'flows'>, declarations: Declarations): Promise<FlowsOfFile> {
  const { reader } = declarations;
  const result = { flows: [] as Flow[], impureSteps: new Map(), impureInputs: new Map<Flow, readonly ImpureCall[]>(), unsound: new Set<Flow>() };
  const reading: StepsReading = { ...declarations, impure: result.impureSteps };
  const add = async (name: string, fields: Fields<FlowKey>, position: Position): Promise<void> => {
    const before = reader.diagnostics.errorCount;
    const { flow, impure } = await readFlow(name, fields, position, reading);
    result.flows.push(flow);
    if (reader.diagnostics.errorCount > before) result.unsound.add(flow);
    if (impure.length > 0) result.impureInputs.set(flow, impure);
  };
  const several = top.get('flows');
  if (several === undefined) {
    if (!top.has('from')) reader.diagnostics.error(top.keyPosition('from'), 'schema/required', `"from" is missing: ${FLOW_KEYS.from.description}`);
    await add('main', top, top.has('from') ? top.keyPosition('from') : positionOf(top.node));
    return result;
  }
  for (const key of ['from', 'steps', 'to'] as const) {
    if (top.has(key)) reader.diagnostics.error(top.keyPosition(key), 'flow/both', `"${key}" and "flows" exclude each other; move it into a flow`);
  }
  for (const [name, { key, value }] of reader.map(several, 'flows')?.entries ?? []) {
    if (name.startsWith('x-')) continue;
    checkName(name, 'the name of a flow', positionOf(key), reader);
    const fields = reader.fields(value, FLOW_KEYS, `flows.${name}`);
    if (fields !== undefined) await add(name, fields, positionOf(key));
  }
  return result;
}

async function readFlow(name: string, fields: Fields<FlowKey>, position: Position, reading: StepsReading): Promise<{ flow: Flow; impure: ImpureCall[] }> {
  const from = fields.get('from');
  const to: TreeNode | undefined = fields.get('to');
  reading.expressions.takeImpure();
  const inputs = from === undefined ? [] : readInputs(from, reading);
  const impure = reading.expressions.takeImpure();
  const steps = await readSteps(fields.get('steps'), reading);
  const outputs = to === undefined ? [] : await readOutputs(to, reading);
  return { flow: { name, from: inputs, steps, to: outputs, position }, impure };
}
