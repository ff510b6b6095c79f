import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { freePorts } from '../../scripts/free-ports.mjs';

interface Stored {
  readonly schema: string;
  readonly schemaType: string;
  readonly references: readonly unknown[];
}

interface Failure {
  readonly status: number;
  readonly code: number;
  readonly message: string;
}

interface Login {
  readonly username: string;
  readonly password: string;
}

/** PEM texts; with `ca` only clients with a certificate of that authority are let in. */
interface Certificates {
  readonly key: string;
  readonly cert: string;
  readonly ca?: string;
}

const MEDIA_TYPE = 'application/vnd.schemaregistry.v1+json';

/**
 * A server that keeps the REST contract of Confluent's Schema Registry, as far as clients use it to read and register:
 * ids over all subjects, versions of each, equal schemas under one id, its error codes, basic authentication and TLS. It
 * checks no compatibility: a subject that is frozen refuses every further version instead.
 */
export class RegistryServer {
  /** Method and path of every request. */
  readonly requests: string[] = [];
  readonly frozen = new Set<string>();
  /** Answers every request with this status, as a proxy before a registry that is away. */
  failWith: number | undefined;
  /** Takes requests and never answers them. */
  silent = false;
  private readonly schemas: Stored[] = [];
  private readonly subjects = new Map<string, number[]>();
  private server: Server | undefined;
  private port = 0;

  private constructor(
    private readonly login: Login | undefined,
    private readonly tls: Certificates | undefined,
  ) {}

  static async start(login?: Login, tls?: Certificates): Promise<RegistryServer> {
    const server = new RegistryServer(login, tls);
    await server.open();
    return server;
  }

  get url(): string {
    return `${this.tls ? 'https' : 'http'}://127.0.0.1:${this.port}`;
  }

  /** Listens, on the port it had before. */
  async open(): Promise<void> {
    const answer = (request: IncomingMessage, response: ServerResponse): void => void this.answer(request, response);
    const { tls } = this;
    const server = tls
      ? createTlsServer({ ...tls, requestCert: tls.ca !== undefined, rejectUnauthorized: tls.ca !== undefined }, answer)
      : createServer(answer);
    // A port that nobody is given while this is closed, so that it has it again afterwards.
    if (this.port === 0) [this.port = 0] = await freePorts(1);
    await new Promise<void>((resolve, reject) => server.on('error', reject).listen(this.port, '127.0.0.1', resolve));
    this.server = server;
  }

  /** Connections are refused until it is opened again; what it holds is kept. */
  async close(): Promise<void> {
    this.server?.closeAllConnections();
    await new Promise((resolve) => this.server?.close(resolve) ?? resolve(undefined));
    this.server = undefined;
  }

  /** Registers as a request would. Returns the id. */
  add(subject: string, schema: unknown, schemaType = 'AVRO', references: readonly unknown[] = []): number {
    const text = typeof schema === 'string' ? schema : JSON.stringify(schema);
    const known = this.schemas.findIndex((one) => one.schema === text && one.schemaType === schemaType);
    if (known < 0) this.schemas.push({ schema: text, schemaType, references });
    const id = known < 0 ? this.schemas.length : known + 1;
    const versions = this.subjects.get(subject) ?? [];
    if (!versions.includes(id)) this.subjects.set(subject, [...versions, id]);
    return id;
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '' } = request;
    this.requests.push(`${method} ${url}`);
    let text = '';
    for await (const chunk of request) text += chunk;
    if (this.silent) return;
    const result = this.failWith === undefined ? this.result(request, method, url, text) : undefined;
    if (result === undefined) return void response.writeHead(this.failWith as number).end('<html>away</html>');
    const failed = isFailure(result);
    response
      .writeHead(failed ? result.status : 200, { 'content-type': MEDIA_TYPE })
      .end(JSON.stringify(failed ? { error_code: result.code, message: result.message } : result));
  }

  private result({ headers }: IncomingMessage, method: string, url: string, text: string): unknown {
    if (this.login) {
      const expected = `Basic ${Buffer.from(`${this.login.username}:${this.login.password}`).toString('base64')}`;
      if (headers.authorization !== expected) return fail(401, 401, 'Unauthorized');
    }
    const [path = ''] = url.slice(1).split('?');
    const [root, name = '', kind, version] = path.split('/').map(decodeURIComponent);
    if (method === 'GET' && root === 'schemas' && name === 'ids') return this.byId(Number(kind));
    if (root !== 'subjects') return fail(404, 404, 'HTTP 404 Not Found');
    if (method === 'GET' && name === '') return [...this.subjects.keys()];
    if (method === 'GET') return version === undefined ? (this.subjects.get(name)?.map((_, i) => i + 1) ?? noSubject(name)) : this.version(name, version);
    const { schema, schemaType = 'AVRO', references = [] } = JSON.parse(text) as Partial<Stored>;
    if (schema === undefined || schema === '') return fail(422, 42201, 'Either the schema is empty or it is invalid');
    if (kind === undefined) return this.lookUp(name, schema);
    if (this.frozen.has(name)) return fail(409, 409, `Schema being registered is incompatible with an earlier schema for subject "${name}"`);
    return { id: this.add(name, schema, schemaType, references) };
  }

  private byId(id: number): unknown {
    const stored = this.schemas[id - 1];
    return stored === undefined ? fail(404, 40403, `Schema ${id} not found`) : shown(stored);
  }

  private version(subject: string, version: string): unknown {
    const versions = this.subjects.get(subject);
    if (versions === undefined) return noSubject(subject);
    const number = version === 'latest' ? versions.length : Number(version);
    const id = versions[number - 1];
    return id === undefined ? fail(404, 40402, `Version ${version} not found.`) : { subject, version: number, id, ...shown(this.schemas[id - 1] as Stored) };
  }

  private lookUp(subject: string, schema: string): unknown {
    const versions = this.subjects.get(subject);
    if (versions === undefined) return noSubject(subject);
    const index = versions.findIndex((id) => this.schemas[id - 1]?.schema === schema);
    return index < 0 ? fail(404, 40403, 'Schema not found') : { subject, version: index + 1, id: versions[index], schema };
  }
}

/** Avro goes without saying, as the real one has it. */
function shown({ schema, schemaType, references }: Stored): object {
  return { schema, ...(schemaType !== 'AVRO' && { schemaType }), ...(references.length > 0 && { references }) };
}

function noSubject(subject: string): Failure {
  return fail(404, 40401, `Subject '${subject}' not found.`);
}

function fail(status: number, code: number, message: string): Failure {
  return { status, code, message };
}

function isFailure(result: unknown): result is Failure {
  return typeof result === 'object' && result !== null && 'status' in result;
}
