import * as nodeModule from 'node:module';

/** Packages that plugins may import although nobody installed them beside the plugin: this one, and its schemas. */
const LENT = ['kstreamd', 'zod'];

type Resolve = (specifier: string, context: { parentURL?: string | undefined }, next: Next) => unknown;
type Next = (specifier: string, context: { parentURL?: string | undefined }) => unknown;

let lent = false;

/**
 * Lets plugin modules import `kstreamd` wherever they lie, as beside a pipeline file that a globally installed daemon
 * or its image runs. A copy installed beside the plugin wins. Safe to call again.
 */
export function lendOwnPackage(): void {
  if (lent) return;
  lent = true;
  const { registerHooks } = nodeModule as unknown as { registerHooks?: (hooks: { resolve: Resolve }) => void };
  if (registerHooks) registerHooks({ resolve: resolveInThread });
  else nodeModule.register(`data:text/javascript,${encodeURIComponent(hookModule())}`);
}

function isLent(specifier: string): boolean {
  return LENT.some((name) => specifier === name || specifier.startsWith(`${name}/`));
}

const resolveInThread: Resolve = (specifier, context, next) => {
  try {
    return next(specifier, context);
  } catch (error) {
    if (!isLent(specifier)) throw error;
    return next(specifier, { ...context, parentURL: import.meta.url });
  }
};

/** The same for a Node before `registerHooks`, whose hooks are a module of their own and asynchronous. */
function hookModule(): string {
  return `
const lent = ${JSON.stringify(LENT)};
export async function resolve(specifier, context, next) {
  try {
    return await next(specifier, context);
  } catch (error) {
    if (!lent.some((name) => specifier === name || specifier.startsWith(name + '/'))) throw error;
    return next(specifier, { ...context, parentURL: ${JSON.stringify(import.meta.url)} });
  }
}`;
}
