import type { Expression } from '../core/expression.js';
import type { Declarations } from './declarations.js';
import { ARM_KEYS } from './keys.js';
import type { Arm, Step } from './model.js';
import { readOutputs } from './outputs.js';
import { type MapNode, positionOf, type TreeNode } from './tree.js';

/** Reads the steps of an arm, which may hold branches themselves. */
type ReadSteps = (node: TreeNode | undefined) => Promise<Step[]>;

/** The arms of a `branch`, first match wins. Warns of arms that no record reaches. */
export async function readArms(node: TreeNode, reading: Declarations, readSteps: ReadSteps): Promise<Arm[]> {
  const { reader } = reading;
  const items = reader.list(node, '"branch"')?.items ?? [];
  if (node.kind === 'list' && items.length === 0) reader.diagnostics.error(positionOf(node), 'step/options', '"branch" needs at least one arm');
  const arms: Arm[] = [];
  let catchAll: number | undefined;
  for (const item of items) {
    const before = reader.diagnostics.errorCount;
    const arm = await readArm(item, reading, readSteps);
    if (arm === undefined) continue;
    const twin = arms.find(({ when }) => when !== undefined && when.source === arm.when?.source);
    if (catchAll !== undefined) warn(arm, `the arm on line ${catchAll} takes every record`, reading);
    else if (twin !== undefined) warn(arm, `the arm on line ${twin.position.line} has the same condition`, reading);
    const sound = reader.diagnostics.errorCount === before;
    if (sound && (arm.when === undefined || arm.when.source === 'true')) catchAll ??= arm.position.line;
    arms.push(arm);
  }
  return arms;
}

function warn(arm: Arm, why: string, { reader }: Declarations): void {
  reader.diagnostics.warning(arm.position, 'branch/unreachable', `no record reaches this arm: ${why}`);
}

async function readArm(node: TreeNode, reading: Declarations, readSteps: ReadSteps): Promise<Arm | undefined> {
  const fields = reading.reader.fields(node, ARM_KEYS, 'an arm of "branch"');
  if (fields === undefined) return undefined;
  const condition = fields.get('if');
  const to = fields.get('to');
  const place = { key: 'if', operation: 'if', flow: (node as MapNode).flow };
  const when: Expression | undefined = condition && reading.expressions.expression(condition, place);
  const steps = await readSteps(fields.get('steps'));
  return { when, steps, to: to === undefined ? [] : await readOutputs(to, reading), position: positionOf(node) };
}
