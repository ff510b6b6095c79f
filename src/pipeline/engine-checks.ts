import { ConfigError, messageOf } from '../core/errors.js';
import type { Position } from '../core/expression.js';
import type { StoreEngine } from '../core/store.js';
import type { Diagnostics } from './diagnostics.js';
import { allSteps } from './flow-checks.js';
import type { Flow, Guarantee, StoreSpec } from './model.js';

interface EnginesOfFile {
  readonly stores: readonly StoreSpec[];
  readonly flows: readonly Flow[];
  readonly guarantee: Guarantee;
  /** Loads a plugin's engine; rejects with a ConfigError. */
  readonly resolve: ((specifier: string, fromFile: string) => Promise<StoreEngine>) | undefined;
  /** Where packages are looked up from. */
  readonly fromFile: string;
}

type NamedEngine = Partial<StoreSpec> & { readonly engine: string; readonly engineAt: Position };

/** Engines that the file names can be loaded, and keep what the guarantee needs. */
export async function checkEngines({ stores, flows, guarantee, resolve, fromFile }: EnginesOfFile, diagnostics: Diagnostics): Promise<void> {
  const own = flows.flatMap(({ steps }) => allSteps(steps)).map(({ store }) => store);
  for (const store of [...stores, ...own]) {
    if (typeof store !== 'object' || !namesEngine(store)) continue;
    const engine = isBuiltIn(store.engine) ? undefined : await loaded(store, resolve, fromFile, diagnostics);
    if (guarantee === 'exactly-once' && store.changelog === false) checkWithoutChangelog(store, engine, diagnostics);
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
