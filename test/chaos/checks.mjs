import { setTimeout as delay } from 'node:timers/promises';
import { TRANSACTION_TIMEOUT_MS } from './application.mjs';
import { ChaosFailure, must } from './failure.mjs';
import { differences, lastOf, lastOfPartition } from './folds.mjs';
import { OutputOrder } from './output-order.mjs';
import { readState } from './state-files.mjs';

const SETTLE_MS = TRANSACTION_TIMEOUT_MS + 20_000;
const atLeast = (left, right) => left >= right;

/** What must hold of topics, offsets and stores, whatever has happened. Every method throws a ChaosFailure when it does not. */
export class Checks {
  /** How often each was looked at and found to hold. */
  made = { stops: 0, stores: 0 };
  /** At-least-once only: nothing has happened yet that may make records be counted twice. */
  exact = true;
  /** At-least-once only: a frozen instance may have overwritten newer counts (C2). */
  regressed = false;
  #flows;
  #input;
  #fleet;
  #exactlyOnce;
  #orders;

  /**
   * @param {object} of
   * @param {readonly import('./flows.mjs').Flow[]} of.flows
   * @param {import('./topic-history.mjs').TopicHistory} of.input
   * @param {import('./fleet.mjs').Fleet} of.fleet
   * @param {boolean} of.exactlyOnce
   */
  constructor({ flows, input, fleet, exactlyOnce }) {
    this.#flows = flows;
    this.#input = input;
    this.#fleet = fleet;
    this.#exactlyOnce = exactlyOnce;
    this.#orders = new Map(flows.map((flow) => [flow, new OutputOrder(flow.output)]));
  }

  /** A fault of this kind is about to strike. */
  expect({ repeats = false, regresses = false }) {
    this.exact &&= this.#exactlyOnce || !repeats;
    this.regressed ||= !this.#exactlyOnce && regresses;
  }

  /** What came out so far, while the instances run. */
  async outputs() {
    for (const flow of this.#flows) {
      await flow.output.update();
      if (this.exact) this.#orders.get(flow).check();
    }
  }

  /**
   * Each store of an instance that does not run holds what the changelog held at the position written beside it (C4): exactly-once only,
   * since at-least-once may leave records in a changelog that no commit stands for.
   */
  async storesOf(instance) {
    if (!this.#exactlyOnce) return;
    for (const state of await readState(instance.stateDir)) {
      for (const flow of this.#flows) await this.#storeIsPrefix(instance, state, flow);
    }
  }

  /** Every instance is stopped; `clean`: each after SIGTERM. */
  async atStop(clean) {
    if (!clean && !this.#exactlyOnce) return;
    await this.#input.settle(SETTLE_MS);
    for (const flow of this.#flows) {
      await flow.changelog.settle(SETTLE_MS);
      await flow.output.settle(SETTLE_MS);
      const { counts, name } = await flow.consumed();
      this.#changelogIsInput(flow, counts, name);
      if (this.exact) {
        this.#orders.get(flow).check();
        agree(flow, 'changelog', lastOf(flow.changelog), 'output', lastOf(flow.output));
      }
    }
    for (const instance of this.#fleet.instances) await this.storesOf(instance);
    this.made.stops++;
  }

  /** All input is processed and every instance has stopped cleanly. */
  async atEnd() {
    await this.atStop(true);
    const states = [];
    for (const { stateDir } of this.#fleet.instances) states.push(...(await readState(stateDir)));
    for (const flow of this.#flows) {
      const counts = flow.everything();
      this.#changelogIsInput(flow, counts, 'all of the input');
      this.#orders.get(flow).nothingIsLost(counts, this.regressed);
      if (this.exact) agree(flow, 'newest stores', newest(states, flow), 'all of the input', counts);
    }
  }

  #changelogIsInput(flow, counts, name) {
    if (this.regressed) return;
    agree(flow, 'changelog', lastOf(flow.changelog), name, counts, this.exact ? undefined : atLeast);
  }

  async #storeIsPrefix({ name, stateDir }, { directory, partition, stores, positions }, flow) {
    const held = stores.get(flow.store) ?? new Map();
    const position = positions.get(`${flow.changelog.topic}-${partition}`);
    if (position === undefined && held.size === 0) return;
    const where = directory.slice(stateDir.length + 1);
    must(position !== undefined, `instance ${name}: ${where} holds ${held.size} entries of ${flow.store} and no position of its changelog`);
    await readUpTo(flow.changelog, partition, position);
    const logged = lastOfPartition(flow.changelog.partitions[partition], position);
    agree(flow, `instance ${name}, ${where}`, held, `${flow.changelog.topic}-${partition} up to ${position}`, logged);
    this.made.stores++;
  }
}

function agree(flow, leftName, left, rightName, right, how) {
  const found = differences(leftName, left, rightName, right, how);
  must(found.length === 0, () => `flow ${flow.name}: ${leftName} ${how ? 'falls behind' : 'differs from'} ${rightName}\n  ${found.join('\n  ')}`);
}

/** Waits until the changelog is readable up to a position: transactions of instances that died may still be open. */
async function readUpTo(changelog, partition, position) {
  for (const deadline = performance.now() + SETTLE_MS; changelog.partitions[partition].next < position; ) {
    await changelog.update();
    if (changelog.partitions[partition].next >= position) return;
    if (performance.now() > deadline) {
      throw new ChaosFailure(
        `${changelog.topic}-${partition} ends at ${changelog.partitions[partition].next}, and a store says that it holds it up to ${position}`,
      );
    }
    await delay(100);
  }
}

/** A store's contents over all partitions, each from the instance whose position in the changelog is the newest. */
function newest(states, flow) {
  const best = new Map();
  for (const state of states) {
    const position = state.positions.get(`${flow.changelog.topic}-${state.partition}`);
    if (position !== undefined && position > (best.get(state.partition)?.position ?? -1)) best.set(state.partition, { position, state });
  }
  return new Map([...best.values()].flatMap(({ state }) => [...(state.stores.get(flow.store) ?? [])]));
}
