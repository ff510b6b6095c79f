import type { StoreShape } from '../core/processor.js';
import type { StoreDefinition } from '../core/store.js';
import type { Step, StoreSpec } from './model.js';
import { QUEUE } from './waiting-rows.js';

/** A declared store's settings, without a place of its own in the file. */
export type ImpliedStore = Omit<StoreSpec, 'position' | 'engineAt'> & Pick<StoreDefinition, 'unlogged'>;

export interface StepStores {
  /** Name the step uses → the store's name. */
  readonly connected: Readonly<Record<string, string>>;
  /** Stores that only this step asks for, to be added to the topology. */
  readonly implied: readonly ImpliedStore[];
}

/**
 * The stores of one step: its own (`<flow>-<id>`, S15), those that its definition names (`<flow>-<id>-<name>`), and the
 * declared ones it lists, which stand in for one of the definition's under the same name.
 */
export function storesOf(step: Step, id: string, keyFormat: () => string): StepStores {
  const connected: Record<string, string> = {};
  const implied: ImpliedStore[] = [];
  const imply = (alias: string, name: string, shape: StoreShape, given?: Partial<StoreSpec>): void => {
    const store = storeFrom(name, shape, given, keyFormat);
    implied.push(store);
    connected[alias] = store.name;
  };
  if (typeof step.store === 'string') connected[step.id] = step.store;
  else if (step.definition.store || step.store) imply(step.id, id, step.definition.store ?? {}, step.store);
  for (const [alias, shape] of Object.entries(step.definition.stores ?? {})) {
    if (!step.stores.includes(alias)) imply(alias, `${id}-${alias}`, shape);
  }
  for (const name of step.stores) connected[name] = name;
  if (step.joined) connected[step.joined.name] = step.joined.name;
  return { connected, implied };
}

function storeFrom(name: string, shape: StoreShape, given: Partial<StoreSpec> | undefined, keyFormat: () => string): ImpliedStore {
  return {
    name: given?.name ?? name,
    type: given?.type ?? shape.type ?? 'key-value',
    ttlMs: given?.ttlMs ?? shape.ttlMs,
    historyMs: given?.historyMs ?? shape.historyMs,
    retentionMs: given?.retentionMs ?? shape.retentionMs,
    windowSizeMs: given?.windowSizeMs ?? shape.windowSizeMs,
    engine: given?.engine ?? shape.engine ?? 'leveldb',
    key: given?.key ?? shape.key ?? keyFormat(),
    value: given?.value ?? shape.value ?? 'json',
    changelog: given?.changelog ?? {},
    standby: given?.standby ?? 0,
  };
}

/** Engines that a step's store may have without the outputs that wait having it too: they are not values of the step. */
const BUILT_IN = ['leveldb', 'memory'];

export function waitingStoreName(id: string): string {
  return `${id}-emit`;
}

/** The store in which the outputs of a step wait (W5); kept, copied and restored as the step's own is. */
export function waitingStore(step: Step, id: string, declared: readonly StoreSpec[]): ImpliedStore {
  const own = typeof step.store === 'string' ? declared.find(({ name }) => name === step.store) : step.store;
  const engine = own?.engine ?? step.definition.store?.engine ?? 'leveldb';
  return {
    name: waitingStoreName(id),
    type: 'key-value',
    engine: BUILT_IN.includes(engine) ? engine : 'leveldb',
    key: 'bytes',
    value: 'bytes',
    changelog: own?.changelog === false ? false : {},
    standby: own?.standby ?? 0,
    unlogged: QUEUE,
  };
}
