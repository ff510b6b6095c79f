import type { Diagnostics } from './diagnostics.js';
import { allOutputs, allSteps, topicsOf } from './flow-checks.js';
import type { Flow, Pipeline, Step } from './model.js';
import { type Ahead, aheadOfFlow, nothingAhead, stateAhead } from './state-ahead.js';
import { storesOf, waitingStoreName } from './step-stores.js';

/** Kafka's bound on the name of a topic. */
const LONGEST_TOPIC = 249;

type Named = Pick<Pipeline, 'name' | 'position' | 'flows' | 'stores' | 'deadLetter'>;

/**
 * Refuses a name with which an internal topic would have a longer name than Kafka takes, and outputs to internal topics.
 * A store without a changelog counts too: it must not need a new name to get one. The flows must be free of errors.
 */
export function checkInternalTopics(pipeline: Named, diagnostics: Diagnostics): void {
  const { name, position, flows, stores } = pipeline;
  const changelogs = [...stores.map((store) => store.name), ...flows.flatMap(storesOfFlow)].map((store) => `${store}-changelog`);
  const repartitions = flows.flatMap((flow) => repartitionsOf(flow, flow.steps, aheadOfFlow(flow, flows)));
  const internal = [...changelogs, ...repartitions];
  checkOutputs(pipeline, new Set(internal.map((topic) => `${name}-${topic}`)), diagnostics);
  const [longest] = internal.sort((a, b) => b.length - a.length);
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

/** What else writes to such a topic changes state behind the engine's back. */
function checkOutputs({ flows, deadLetter, position }: Named, internal: ReadonlySet<string>, diagnostics: Diagnostics): void {
  const outputs = flows.flatMap(allOutputs).flatMap((output) => topicsOf(output).map((topic) => ({ topic, at: output.position })));
  if (deadLetter !== undefined) outputs.push({ topic: deadLetter, at: position });
  for (const { topic, at } of outputs) {
    if (internal.has(topic)) diagnostics.error(at, 'topic/internal', `"${topic}" is an internal topic of this file, which only its own step may write`);
  }
}

function storesOfFlow(flow: Flow): string[] {
  return allSteps(flow.steps).flatMap((step) => namesOfStores(step, `${flow.name}-${step.id}`));
}

function namesOfStores(step: Step, id: string): string[] {
  const own = storesOf(step, id, () => 'string').implied.map(({ name }) => name);
  return typeof step.emit === 'object' ? [...own, waitingStoreName(id)] : own;
}

/** The repartition topics that the compiler makes for these steps (S16), without the application's name. */
function repartitionsOf(flow: Flow, steps: readonly Step[], after: Ahead): string[] {
  return steps.flatMap((step, i) => {
    const ahead: Ahead = () => stateAhead(steps, i + 1, after);
    if (step.arms) return step.arms.flatMap((arm) => repartitionsOf(flow, arm.steps, arm.to.length > 0 ? nothingAhead : ahead));
    return step.definition.changesKey && (typeof step.emit === 'object' || ahead()) ? [`${flow.name}-${step.id}-repartition`] : [];
  });
}
