import { createSecureContext, type SecureContext } from 'node:tls';
import { BrokerError, ConfigError, messageOf, RetriableError } from '../core/errors.js';
import { exchange, type HttpAnswer, type HttpRequest } from './exchange.js';

/** A registry's address, who logs in, and by which certificates both sides are known. */
export interface RegistryAddress {
  /** Without a slash at its end. */
  readonly url: string;
  readonly login?: { readonly username: string; readonly password: string } | undefined;
  /** PEM texts, for https. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string; readonly keyPassword?: string } | undefined;
}

/** An answer that says no: its status, the registry's own code where it is one of the registry at all, and its words. */
export interface Refusal {
  readonly status: number;
  readonly code: number | undefined;
  readonly message: string;
}

export type Answer = { readonly body: unknown } | { readonly refusal: Refusal };

const MEDIA_TYPE = 'application/vnd.schemaregistry.v1+json';

/** Questions to one registry. */
export class RegistryConnection {
  private readonly url: string;
  private readonly authorization: string | undefined;
  private readonly secureContext: SecureContext | undefined;

  /** Throws a ConfigError for certificates and keys that are none. */
  constructor({ url, login, tls }: RegistryAddress) {
    this.url = url;
    this.authorization = login && `Basic ${Buffer.from(`${login.username}:${login.password}`).toString('base64')}`;
    this.secureContext = tls && secureContextOf(tls);
  }

  /** Rejects with a RetriableError where the registry has no answer now, with a BrokerError where it will not give one. */
  async ask(method: 'GET' | 'POST', path: string, content?: unknown): Promise<Answer> {
    const { url, authorization, secureContext } = this;
    const headers = {
      accept: `${MEDIA_TYPE}, application/json`,
      ...(authorization !== undefined && { authorization }),
      ...(content !== undefined && { 'content-type': MEDIA_TYPE }),
    };
    const body = content === undefined ? undefined : JSON.stringify(content);
    const { status, text } = await this.exchanged(path, { method, headers, body, secureContext });
    const answer = parsed(text);
    if (status >= 200 && status < 300 && answer !== undefined) return { body: answer };
    const refusal = refusalOf(status, answer);
    if (status === 401 || status === 403) throw refused(url, status, authorization !== undefined);
    if (refusal.code === undefined || status >= 500 || status === 429 || status === 408)
      throw unreachable(url, `it answered ${status}${shown(refusal.message)}`);
    return { refusal };
  }

  private async exchanged(path: string, request: HttpRequest): Promise<HttpAnswer> {
    try {
      return await exchange(`${this.url}${path}`, request);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== undefined && OF_TLS.test(code)) throw untrusted(this.url, code, error);
      throw unreachable(this.url, code ?? messageOf(error), error);
    }
  }
}

/** Node's and OpenSSL's codes for a peer that cannot be trusted, does not trust us, or does not speak TLS. */
const OF_TLS = /^(?:CERT_|CRL_|DEPTH_ZERO_|EPROTO$|ERR_OSSL_|ERR_SSL_|ERR_TLS_|HOSTNAME_|INVALID_CA|PATH_LENGTH_|SELF_SIGNED_|UNABLE_TO_)/;

function secureContextOf({ ca, cert, key, keyPassword }: NonNullable<RegistryAddress['tls']>): SecureContext {
  try {
    return createSecureContext({ ca, cert, key, passphrase: keyPassword });
  } catch (cause) {
    throw new ConfigError('registry/tls', `what kafka.registry.tls holds cannot be used: ${messageOf(cause)}`, {
      cause,
      fix: 'give PEM texts, such as caFile, certFile and keyFile name, and keyPassword where the key is encrypted',
    });
  }
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

function untrusted(url: string, reason: string, cause: unknown): BrokerError {
  return new BrokerError('registry/tls', `the TLS connection to the schema registry at ${url} fails: ${reason}`, {
    cause,
    fix: 'check kafka.registry: { tls: { caFile, certFile, keyFile } }, and that this port speaks TLS',
  });
}

function refused(url: string, status: number, withLogin: boolean): BrokerError {
  const why = status === 403 ? 'the login may not do this' : withLogin ? 'it does not take the login' : 'it wants a login';
  return new BrokerError('registry/refused', `the schema registry at ${url} refuses us: ${why} (${status})`, {
    fix: 'correct kafka.registry: { url, username, passwordFile }',
  });
}
