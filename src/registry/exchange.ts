import { type IncomingMessage, request as plainRequest, type RequestOptions } from 'node:http';
import { request as tlsRequest } from 'node:https';
import type { SecureContext } from 'node:tls';

export interface HttpRequest {
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  /** Of https; undefined: the system's authorities. */
  readonly secureContext: SecureContext | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
}

const TIMEOUT_MS = 5000;
/** A schema is text that people write; what is longer than this is no answer of a registry. */
const MOST_BYTES = 16_000_000;

/**
 * One request on a connection of its own: a registry is asked once a schema, and a connection that was kept might be dead.
 * Redirects are not followed: the login would go with them. Rejects with Node's errors, and with an Error when the answer
 * takes longer than 5 s or has more than 16 MB.
 */
export function exchange(url: string, { method, headers, body, secureContext }: HttpRequest): Promise<HttpAnswer> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const options: RequestOptions = { method, headers: { ...headers, 'accept-encoding': 'identity' }, agent: false, signal };
  return new Promise<HttpAnswer>((resolve, reject) => {
    const send = url.startsWith('https:') ? () => tlsRequest(url, { ...options, ...(secureContext && { secureContext }) }) : () => plainRequest(url, options);
    const request = send();
    request.on('error', reject);
    request.on('response', (response) => {
      read(response).then((text) => resolve({ status: response.statusCode ?? 0, text }), reject);
    });
    request.end(body);
  }).catch((error: unknown) => {
    throw signal.aborted ? new Error(`no answer within ${TIMEOUT_MS / 1000} s`) : error;
  });
}

async function read(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    parts.push(part);
    bytes += part.length;
    if (bytes > MOST_BYTES) throw new Error(`an answer of more than ${MOST_BYTES / 1e6} MB`);
  }
  return Buffer.concat(parts).toString('utf8');
}
