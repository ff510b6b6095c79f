import { ConfigError, messageOf } from '../core/errors.js';
import type { Position } from '../core/expression.js';
import type { StoreEngine } from '../core/store.js';
import type { Diagnostics } from './diagnostics.js';
import { allSteps } from './flow-checks.js';
import type { Flow, Guarantee, StoreSpec } from './model.js';
import { storesOf } from './step-stores.js';

interface EnginesOfFile {
  /** Tables among them. */
  readonly stores: readonly (Partial<StoreSpec> & Pick<StoreSpec, 'name' | 'engine'>)[];
  readonly flows: readonly Flow[];
  readonly guarantee: Guarantee;
  /** Loads a plugin's engine; rejects with a ConfigError. */
  readonly resolve: ((specifier: string, fromFile: string) => Promise<StoreEngine>) | undefined;
  /** Where packages are looked up from. */
  readonly fromFile: string;
}

type NamedEngine = Partial<StoreSpec> & { readonly engine: string; readonly engineAt: Position };

/** Engines that the file names can be loaded, and keep what the guarantee needs. */
export async function checkEngines(file: EnginesOfFile, diagnostics: Diagnostics): Promise<void> {
  const { stores, flows, guarantee, resolve, fromFile } = file;
  const own = flows.flatMap(({ steps }) => allSteps(steps)).map(({ store }) => store);
  const asynchronous = new Set<string>();
  for (const store of [...stores, ...own]) {
    if (typeof store !== 'object' || !namesEngine(store)) continue;
    const engine = isBuiltIn(store.engine) ? undefined : await loaded(store, resolve, fromFile, diagnostics);
    if (engine && 'asynchronous' in engine && engine.asynchronous) {
      asynchronous.add(store.engine);
      checkType(store, diagnostics);
    }
    if (guarantee === 'exactly-once' && store.changelog === false) checkWithoutChangelog(store, engine, diagnostics);
  }
  checkSteps(file, asynchronous, diagnostics);
}

/** Types that read while they write, or keep rows beside the entries, need answers at once (R2). */
function checkType({ type = 'key-value', ttlMs, engineAt }: NamedEngine, diagnostics: Diagnostics): void {
  if ((type === 'key-value' && ttlMs === undefined) || type === 'timestamped') return;
  const what = ttlMs === undefined ? `a ${type} store` : 'a store with a "ttl"';
  diagnostics.error(engineAt, 'store/asynchronous', `${what} needs an engine that answers at once, and this one answers with promises`, 'engine: leveldb');
}

/** Steps that use stores on engines which answer with promises declare that they await them (R2). */
function checkSteps({ stores, flows }: EnginesOfFile, asynchronous: ReadonlySet<string>, diagnostics: Diagnostics): void {
  for (const flow of flows) {
    for (const step of allSteps(flow.steps)) {
      const { connected, implied } = storesOf(step, `${flow.name}-${step.id}`, () => 'string');
      const names = Object.values(connected);
      const used = [...implied, ...stores].find(({ name, engine }) => names.includes(name) && asynchronous.has(engine));
      if (used === undefined || step.definition.async) continue;
      const message = `the engine of the store "${used.name}" answers with promises, and "${step.id}" does not declare "async"`;
      diagnostics.error(step.position, 'store/asynchronous', message, 'set "async: true" in its defineProcessor, and use getBatch and iterators only');
    }
  }
}

function namesEngine(store: Partial<StoreSpec>): store is NamedEngine {
  return store.engine !== undefined && store.engineAt !== undefined;
}

function isBuiltIn(engine: string): boolean {
  return engine === 'leveldb' || engine === 'memory';
}

async function loaded(
  { engine, engineAt }: NamedEngine,
  resolve: EnginesOfFile['resolve'],
  fromFile: string,
  diagnostics: Diagnostics,
): Promise<StoreEngine | undefined> {
  try {
    return await resolve?.(engine, fromFile);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return diagnostics.error(engineAt, error.code, messageOf(error), error.fix);
  }
}

/** Without a changelog the state is only as exact as what the engine keeps of it (C3, C4). */
function checkWithoutChangelog({ engine: name, engineAt }: NamedEngine, engine: StoreEngine | undefined, diagnostics: Diagnostics): void {
  const fix = 'remove "changelog: false"';
  const lost = name === 'memory' || engine?.persistent === false;
  if (lost) diagnostics.warning(engineAt, 'store/volatile', 'without a changelog this store is empty after a restart, which exactly-once does not cover', fix);
  else if (engine !== undefined && !('openTask' in engine)) {
    const message = `exactly-once without a changelog needs an engine that writes all stores of a task in one step, and "${name}" has no openTask`;
    diagnostics.error(engineAt, 'store/engine-guarantee', message, fix);
  }
}
