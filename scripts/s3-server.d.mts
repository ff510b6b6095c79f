/**
 * A real S3 server (versitygw) on loopback, for tests: buckets are directories, objects files in them. It ends with this process, and
 * needs what `installS3` builds.
 */
export class S3Server {
  private constructor();
  static start(options?: { readonly port?: number }): Promise<S3Server>;

  readonly endpoint: string;
  readonly pid: number;
  /** Variables with which an AWS client is let in. */
  readonly login: { readonly AWS_ACCESS_KEY_ID: string; readonly AWS_SECRET_ACCESS_KEY: string };
  /** The directory of a bucket; made when there is none. */
  bucket(name: string): string;
  start(): Promise<void>;
  /** Nobody listens any more; `start` brings it back with what it holds. */
  stop(): Promise<void>;
  /** Connections stay open and nothing answers. */
  pause(): void;
  resume(): void;
  /** Ends it and deletes what it holds. */
  remove(): Promise<void>;
}
