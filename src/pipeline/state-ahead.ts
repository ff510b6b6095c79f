import type { Flow, Step } from './model.js';

/** Whether a step keeps or opens a store, so that records with equal keys have to meet in its task; a global table is everywhere. */
export function isStateful({ definition, store, stores, emit, joined }: Step): boolean {
  if (typeof emit === 'object' || store !== undefined || stores.length > 0) return true;
  return definition.store !== undefined || Object.keys(definition.stores ?? {}).length > 0 || joined?.global === false;
}

/** Tells whether records on the way into it meet state before their key changes again. */
export type Ahead = () => boolean;

export const nothingAhead: Ahead = () => false;

/** What is ahead at `steps[from]`, with `after` ahead of the last one. */
export function stateAhead(steps: readonly Step[], from: number, after: Ahead): boolean {
  const step = steps[from];
  if (step === undefined) return after();
  if (isStateful(step)) return true;
  if (step.definition.changesKey) return false;
  const rest: Ahead = () => stateAhead(steps, from + 1, after);
  if (!step.arms) return rest();
  return step.arms.some((arm) => stateAhead(arm.steps, 0, arm.to.length > 0 ? nothingAhead : rest));
}

/** What is ahead of a flow's last step: the flows that read it. */
export function aheadOfFlow(flow: Flow, flows: readonly Flow[]): Ahead {
  return () => flows.some((other) => readsFlow(other, flow.name) && stateAhead(other.steps, 0, aheadOfFlow(other, flows)));
}

export function readsFlow(flow: Flow, name: string): boolean {
  return flow.from.some((input) => input.kind === 'flow' && input.flow === name);
}
