import { BrokerError, messageOf, RetriableError } from '../core/errors.js';

/** A registry's address, and who logs in. */
export interface RegistryAddress {
  readonly url: string;
  readonly login: { readonly username: string; readonly password: string } | undefined;
}

/** An answer that says no: its status, the registry's own code where it is one of the registry at all, and its words. */
export interface Refusal {
  readonly status: number;
  readonly code: number | undefined;
  readonly message: string;
}

export type Answer = { readonly body: unknown } | { readonly refusal: Refusal };

const TIMEOUT_MS = 5000;
/** A schema is text that people write; what is longer than this is no answer of a registry. */
const MOST_BYTES = 16_000_000;
const MEDIA_TYPE = 'application/vnd.schemaregistry.v1+json';

/** One question to the registry. Rejects with a RetriableError where it has no answer now, with a BrokerError where it will not give one. */
export async function ask({ url, login }: RegistryAddress, method: 'GET' | 'POST', path: string, body?: unknown): Promise<Answer> {
  const headers: Record<string, string> = { accept: `${MEDIA_TYPE}, application/json` };
  if (login) headers.authorization = `Basic ${Buffer.from(`${login.username}:${login.password}`).toString('base64')}`;
  if (body !== undefined) headers['content-type'] = MEDIA_TYPE;
  const { status, text } = await exchanged(url, path, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }), redirect: 'error' });
  const content = parsed(text);
  if (status >= 200 && status < 300 && content !== undefined) return { body: content };
  const refusal = refusalOf(status, content);
  if (status === 401 || status === 403) throw refused(url, status, login !== undefined);
  if (refusal.code === undefined || status >= 500 || status === 429 || status === 408) throw unreachable(url, `it answered ${status}${shown(refusal.message)}`);
  return { refusal };
}

async function exchanged(url: string, path: string, request: RequestInit): Promise<{ status: number; text: string }> {
  try {
    const response = await fetch(`${url}${path}`, { ...request, signal: AbortSignal.timeout(TIMEOUT_MS) });
    const text = await response.text();
    return { status: response.status, text: text.length > MOST_BYTES ? '' : text };
  } catch (error) {
    throw unreachable(url, reasonOf(error), error);
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof Error && error.name === 'TimeoutError') return `no answer within ${TIMEOUT_MS / 1000} s`;
  const { cause } = error as { cause?: unknown };
  const { code } = (cause ?? {}) as { code?: unknown };
  return typeof code === 'string' ? code : messageOf(cause ?? error);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function refusalOf(status: number, content: unknown): Refusal {
  const { error_code: code, message } = (content ?? {}) as { error_code?: unknown; message?: unknown };
  return { status, code: typeof code === 'number' ? code : undefined, message: typeof message === 'string' ? message : '' };
}

function shown(message: string): string {
  return message === '' ? '' : `: ${message.slice(0, 200)}`;
}

function unreachable(url: string, reason: string, cause?: unknown): RetriableError {
  return new RetriableError('registry/unreachable', `the schema registry at ${url} cannot be reached: ${reason}`, {
    cause,
    fix: 'Start the registry, or correct kafka.registry.',
  });
}

function refused(url: string, status: number, withLogin: boolean): BrokerError {
  const why = status === 403 ? 'the login may not do this' : withLogin ? 'it does not take the login' : 'it wants a login';
  return new BrokerError('registry/refused', `the schema registry at ${url} refuses us: ${why} (${status})`, {
    fix: 'correct kafka.registry: { url, username, passwordFile }',
  });
}
