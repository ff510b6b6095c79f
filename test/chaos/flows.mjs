import { changelogOf, INPUT, OUTPUTS, PARTITIONS, REPARTITION, STORES } from './application.mjs';
import { countsOf, countsOfValues } from './folds.mjs';
import { TopicHistory } from './topic-history.mjs';

/** How long transactions of instances that died may hold up what is read committed. */
const SETTLE_MS = 30_000;

/**
 * One count of the application: each record that was consumed adds one to its key, in the store, in the changelog and as an output.
 *
 * @typedef {object} Flow
 * @property {string} name
 * @property {string} store
 * @property {TopicHistory} changelog
 * @property {TopicHistory} output
 * @property {() => Promise<{ counts: Map<number, number>, name: string }>} consumed what the group has committed, counted by key; asked while
 * no instance runs
 * @property {() => Map<number, number>} everything all of the input, counted by key
 */

/**
 * @param {string} brokers
 * @param {TopicHistory} input keys and regrouped keys of the application's input
 * @param {import('./group-offsets.mjs').GroupOffsets} offsets
 * @returns {Promise<Flow[]>}
 */
export async function openFlows(brokers, input, offsets) {
  const directly = async () => {
    const committed = await offsets.stable(INPUT, PARTITIONS);
    return { counts: countsOf(input, committed), name: `${INPUT} up to the committed offsets ${committed}` };
  };
  // The repartition topic is purged: what went through it is what came in, without what still lies in it.
  const regrouped = async () => {
    const committed = await offsets.stable(INPUT, PARTITIONS);
    const { rest, from } = await unread(brokers, offsets);
    return { counts: without(countsOfValues(input, committed), countsOf(rest)), name: `${INPUT} up to ${committed} without ${REPARTITION} from ${from}` };
  };
  return [await flow('direct', directly, () => countsOf(input)), await flow('regrouped', regrouped, () => countsOfValues(input))];

  async function flow(name, consumed, everything) {
    const open = (topic) => new TopicHistory(topic, PARTITIONS, count).open(brokers);
    return { name, store: STORES[name], changelog: await open(changelogOf(STORES[name])), output: await open(OUTPUTS[name]), consumed, everything };
  }
}

/** What lies in the repartition topic behind the committed offsets. */
export async function unread(brokers, offsets) {
  const from = await offsets.stable(REPARTITION, PARTITIONS);
  const rest = await new TopicHistory(REPARTITION, PARTITIONS, ({ key }) => [Number(key), 0], from).open(brokers);
  try {
    await rest.settle(SETTLE_MS);
  } finally {
    await rest.close();
  }
  return { rest, from };
}

/** A count by key: an int64. */
function count({ key, value }) {
  return [Number(key), Number(value.readBigInt64BE())];
}

function without(counts, others) {
  const left = new Map(counts);
  for (const [key, count] of others) left.set(key, (left.get(key) ?? 0) - count);
  return left;
}
