import { Agent, type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps, Agent as TlsAgent } from 'node:https';
import { messageOf } from '../../core/errors.js';
import type { JsonPart } from './json-part.js';
import { QueryError } from './query-error.js';

/** Names the instance that is asked by another: it answers for itself, or not at all. */
export const PEER_HEADER = 'x-kstreamd-peer';

/** An answer of several partitions is bounded by who gives it; this bounds what one that is not ours may send. */
const MOST_BYTES = 64_000_000;
const TIMEOUT_MS = 3000;

export interface PeersOptions {
  /** Certificates that instances are known by, PEM; the system's unless told. */
  readonly ca: readonly string[] | undefined;
  /** Sent where the client that asks has none. */
  readonly token: string | undefined;
}

/** What an instance is asked by another. */
export interface PeerRequest {
  readonly instance: string;
  /** Of its HTTP server. */
  readonly address: string;
  /** Path and options. */
  readonly path: string;
  /** The client's own `Authorization`. */
  readonly authorization: string | undefined;
}

/** The instance could not be asked, or does not have what it was asked for: another may. */
export class NotThere extends Error {}

/** Asks other instances of an application for what they have of a store. */
export class Peers {
  private readonly plain = new Agent({ keepAlive: true, maxSockets: 32 });
  private readonly tls: TlsAgent;

  constructor(private readonly options: PeersOptions) {
    this.tls = new TlsAgent({ keepAlive: true, maxSockets: 32, ...(options.ca && { ca: [...options.ca] }) });
  }

  /** Those of the partitions asked for that it has. Rejects with NotThere, or with a QueryError where nobody else is to be asked. */
  async ask(asked: PeerRequest): Promise<readonly JsonPart[]> {
    const { status, body } = await this.get(asked, true).catch((error: unknown) => {
      throw new NotThere(`instance ${asked.instance} at ${asked.address}: ${messageOf(error)}`, { cause: error });
    });
    if (status === 200) return partsIn(body, asked);
    const told = reasonIn(body);
    if (status === 421 || status === 503) throw new NotThere(`instance ${asked.instance}: ${told}`);
    throw new QueryError(502, 'query/peer', `instance ${asked.instance} at ${asked.address} answered ${status}: ${told}`, {
      fix: status === 403 ? 'give all instances the same token file' : 'see the log of that instance',
    });
  }

  close(): void {
    this.plain.destroy();
    this.tls.destroy();
  }

  private async get(asked: PeerRequest, again: boolean): Promise<{ status: number; body: string }> {
    const { address, path, instance } = asked;
    const secure = address.startsWith('https:');
    const authorization = asked.authorization ?? (this.options.token && `Bearer ${this.options.token}`);
    const outgoing = (secure ? requestHttps : requestHttp)(`${address}${path}`, {
      agent: secure ? this.tls : this.plain,
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: { [PEER_HEADER]: instance, ...(authorization && { authorization }) },
    });
    try {
      const incoming = await new Promise<IncomingMessage>((resolve, reject) => outgoing.once('response', resolve).once('error', reject).end());
      return { status: incoming.statusCode ?? 0, body: await textOf(incoming) };
    } catch (error) {
      // A connection that was kept may be closed by the other side in this very moment.
      if (again && outgoing.reusedSocket && (error as NodeJS.ErrnoException).code === 'ECONNRESET') return this.get(asked, false);
      throw error;
    }
  }
}

async function textOf(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of incoming) {
    bytes += (chunk as Buffer).length;
    if (bytes > MOST_BYTES) throw new Error(`the answer is larger than ${MOST_BYTES} bytes`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString();
}

function partsIn(body: string, { instance, address }: PeerRequest): readonly JsonPart[] {
  try {
    const { parts } = JSON.parse(body);
    if (Array.isArray(parts)) return parts;
  } catch {
    // Told below.
  }
  throw new QueryError(502, 'query/peer', `what instance ${instance} at ${address} answered is not of this version`, {
    fix: 'run one version on all instances',
  });
}

function reasonIn(body: string): string {
  try {
    return String(JSON.parse(body).error);
  } catch {
    return 'no reason was given';
  }
}
