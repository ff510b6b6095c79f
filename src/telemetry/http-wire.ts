import type { HttpAddress } from './http-address.js';

/** What an HTTP server is to do by itself. It passes to a thread, as all messages here do. */
export interface FrontSettings {
  readonly address: HttpAddress;
  readonly paths: readonly FrontPath[];
  /** Headers that are handed on with a request, in lower case. */
  readonly headers: readonly string[];
  /** Lets clients in that are not on this machine. */
  readonly token: string | undefined;
  /** HTTPS: certificates and their key, PEM. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
}

export interface FrontPath {
  readonly path: string;
  /** Tells more than a stranger should know. */
  readonly guarded: boolean;
  /** Paths below it are its own. */
  readonly tree: boolean;
}

/** A request that was let in: a number for its answer, the path as it came, what stands behind the `?`, and its headers, where it has any of those handed on. */
export type Asked = readonly [id: number, path: string, search: string, headers: Readonly<Record<string, string>> | undefined];

/** The answer to a request; JSON where no other type is told. */
export type Told = readonly [id: number, status: number, body: string, type?: string | undefined, headers?: Readonly<Record<string, string>> | undefined];

export type FromFront =
  | { readonly kind: 'listening'; readonly address: HttpAddress }
  | { readonly kind: 'not-listening'; readonly reason: 'address' | 'tls'; readonly code: string | undefined; readonly message: string }
  /** `gone`: numbers of requests whose clients have left before they were answered. */
  | { readonly kind: 'asked'; readonly asked: readonly Asked[]; readonly gone: readonly number[] }
  | { readonly kind: 'trouble'; readonly message: string }
  | { readonly kind: 'closed' };

export type ToFront = { readonly kind: 'told'; readonly told: readonly Told[] } | { readonly kind: 'close' };
