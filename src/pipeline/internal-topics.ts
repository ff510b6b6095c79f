import type { Diagnostics } from './diagnostics.js';
import { allSteps } from './flow-checks.js';
import type { Flow, Pipeline, Step } from './model.js';
import { type Ahead, aheadOfFlow, nothingAhead, stateAhead } from './state-ahead.js';
import { storesOf } from './step-stores.js';

/** Kafka's bound on the name of a topic. */
const LONGEST_TOPIC = 249;

type Named = Pick<Pipeline, 'name' | 'position' | 'flows' | 'stores'>;

/**
 * Refuses a name with which an internal topic would have a longer name than Kafka takes. Changelogs count although this
 * version makes none: a name that is state's now must not have to change then. The flows must be free of errors.
 */
export function checkInternalTopics({ name, position, flows, stores }: Named, diagnostics: Diagnostics): void {
  const changelogs = [...stores.map((store) => store.name), ...flows.flatMap(storesOfFlow)].map((store) => `${store}-changelog`);
  const repartitions = flows.flatMap((flow) => repartitionsOf(flow, flow.steps, aheadOfFlow(flow, flows)));
  const [longest] = [...changelogs, ...repartitions].sort((a, b) => b.length - a.length);
  const topic = `${name}-${longest}`;
  if (longest === undefined || topic.length <= LONGEST_TOPIC) return;
  const room = LONGEST_TOPIC - longest.length - 1;
  diagnostics.error(
    position,
    'topic/too-long',
    `with this name the internal topic "${topic}" has ${topic.length} characters, and Kafka takes ${LONGEST_TOPIC}`,
    room > 0 ? `a name of at most ${room} characters` : 'shorten the names of the flow and the step',
  );
}

function storesOfFlow(flow: Flow): string[] {
  return allSteps(flow.steps).flatMap((step) => storesOf(step, `${flow.name}-${step.id}`, () => 'string').implied.map(({ name }) => name));
}

/** The repartition topics that the compiler makes for these steps (S16), without the application's name. */
function repartitionsOf(flow: Flow, steps: readonly Step[], after: Ahead): string[] {
  return steps.flatMap((step, i) => {
    const ahead: Ahead = () => stateAhead(steps, i + 1, after);
    if (step.arms) return step.arms.flatMap((arm) => repartitionsOf(flow, arm.steps, arm.to.length > 0 ? nothingAhead : ahead));
    return step.definition.changesKey && ahead() ? [`${flow.name}-${step.id}-repartition`] : [];
  });
}
