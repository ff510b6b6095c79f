import type { Readable } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';
import { bucketError, isNoObject } from './bucket-errors.js';

export interface BucketOptions {
  readonly bucket: string;
  /** Of a server that is not AWS's own; undefined: AWS, by region. */
  readonly endpoint: string | undefined;
  readonly region: string | undefined;
  /** Whether the bucket stands in the path of requests instead of in the host's name. */
  readonly pathStyle: boolean;
}

export interface ListedObject {
  readonly key: string;
  readonly size: number;
  /** By the server's clock, in epoch milliseconds. */
  readonly modified: number;
}

/** Reading a list of 1,000, the most that S3 gives at once, holds up everything else for 20 to 50 ms. */
const PAGE = 200;
const CONNECT_MS = 5_000;
/** A connection on which nothing moves for so long is given up. */
const IDLE_MS = 20_000;
const ATTEMPTS = 3;
const ABORT_MS = 2_000;

type Sdk = typeof import('@aws-sdk/client-s3');

/**
 * One S3 bucket. Credentials are looked for as the AWS SDK does everywhere: the environment, the shared credentials file, the
 * machine's role. The SDK is loaded with the first request, so that a process without snapshots never has it. All
 * calls reject with a SnapshotError, or with the signal's reason.
 */
export class Bucket {
  private opened: Promise<{ sdk: Sdk; client: S3Client }> | undefined;

  constructor(private readonly options: BucketOptions) {}

  /** For people: `s3://bucket/key`. */
  nameOf(key: string): string {
    return `s3://${this.options.bucket}${key === '' ? '' : `/${key}`}`;
  }

  /** The objects whose keys begin so, by key, and no more pages of them than `most` objects take. */
  async *list(prefix: string, signal: AbortSignal, most = Number.POSITIVE_INFINITY): AsyncGenerator<ListedObject> {
    let token: string | undefined;
    let listed = 0;
    do {
      const page = await this.call(`list ${prefix}`, signal, ({ sdk, client, ...rest }) =>
        client.send(
          new sdk.ListObjectsV2Command({ Bucket: this.options.bucket, Prefix: prefix, ContinuationToken: token, MaxKeys: Math.min(most, PAGE) }),
          rest,
        ),
      );
      for (const { Key, Size = 0, LastModified } of page.Contents ?? []) {
        if (Key !== undefined) yield { key: Key, size: Size, modified: LastModified?.getTime() ?? 0 };
      }
      listed += PAGE;
      token = page.IsTruncated && listed < most ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  /** Undefined where there is no such object. Reading the stream may fail in its own way. */
  async get(key: string, signal: AbortSignal): Promise<Readable | undefined> {
    return this.call(`read ${key}`, signal, async ({ sdk, client, ...rest }) => {
      try {
        return (await client.send(new sdk.GetObjectCommand({ Bucket: this.options.bucket, Key: key }), rest)).Body as Readable;
      } catch (error) {
        if (isNoObject(error)) return undefined;
        throw error;
      }
    });
  }

  /** Writes an object as a whole. `sha256` is that of the bytes, in hexadecimal: the server refuses others. */
  async put(key: string, bytes: Buffer, sha256: string, signal: AbortSignal): Promise<void> {
    await this.call(`write ${key}`, signal, async ({ sdk, client, ...rest }) => {
      const command = new sdk.PutObjectCommand({ Bucket: this.options.bucket, Key: key, Body: bytes, ContentLength: bytes.length });
      await client.send(signed(command, sha256), rest);
    });
  }

  /** Writes an object in parts, which come with their SHA-256; it is there when this resolves, and nothing is left of it when this rejects. */
  async putParts(key: string, parts: AsyncIterable<{ bytes: Buffer; sha256: string }>, signal: AbortSignal): Promise<void> {
    const { bucket: Bucket } = this.options;
    await this.call(`write ${key}`, signal, async ({ sdk, client, ...rest }) => {
      const { UploadId } = await client.send(new sdk.CreateMultipartUploadCommand({ Bucket, Key: key }), rest);
      const done: { PartNumber: number; ETag: string | undefined }[] = [];
      try {
        for await (const { bytes, sha256 } of parts) {
          const PartNumber = done.length + 1;
          const command = new sdk.UploadPartCommand({ Bucket, Key: key, UploadId, PartNumber, Body: bytes, ContentLength: bytes.length });
          const { ETag } = await client.send(signed(command, sha256), rest);
          done.push({ PartNumber, ETag });
        }
        await client.send(new sdk.CompleteMultipartUploadCommand({ Bucket, Key: key, UploadId, MultipartUpload: { Parts: done } }), rest);
      } catch (error) {
        // The signal may be what ended it, and a stop does not wait long for a server that is away: `abandonParts` ends it later.
        const abort = new sdk.AbortMultipartUploadCommand({ Bucket, Key: key, UploadId });
        await client.send(abort, { abortSignal: AbortSignal.timeout(ABORT_MS) }).catch(() => {});
        throw error;
      }
    });
  }

  /** Ends uploads in parts that began before a moment in epoch milliseconds and never came to an end; servers that know none have none. */
  async abandonParts(prefix: string, before: number, signal: AbortSignal): Promise<void> {
    const { bucket: Bucket } = this.options;
    const page = await this.call(`list uploads of ${prefix}`, signal, ({ sdk, client, ...rest }) =>
      client.send(new sdk.ListMultipartUploadsCommand({ Bucket, Prefix: prefix }), rest),
    ).catch(() => undefined);
    for (const { Key, UploadId, Initiated } of page?.Uploads ?? []) {
      if (Key === undefined || Initiated === undefined || Initiated.getTime() >= before) continue;
      await this.call(`end an upload of ${Key}`, signal, ({ sdk, client, ...rest }) =>
        client.send(new sdk.AbortMultipartUploadCommand({ Bucket, Key, UploadId }), rest),
      ).catch(() => {});
    }
  }

  async delete(key: string, signal: AbortSignal): Promise<void> {
    await this.call(`delete ${key}`, signal, ({ sdk, client, ...rest }) =>
      client.send(new sdk.DeleteObjectCommand({ Bucket: this.options.bucket, Key: key }), rest),
    );
  }

  close(): void {
    void this.opened?.then(({ client }) => client.destroy()).catch(() => {});
  }

  /** An error of the call, or of a stream that it gave, as a SnapshotError. */
  explained(error: unknown, what: string): Error {
    const { bucket, endpoint, region } = this.options;
    return bucketError(error, what, bucket, endpoint ?? `S3 in ${region ?? 'the region of the environment'}`);
  }

  private async call<T>(what: string, signal: AbortSignal, request: (on: { sdk: Sdk; client: S3Client; abortSignal: AbortSignal }) => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    try {
      this.opened ??= this.open();
      return await request({ ...(await this.opened), abortSignal: signal });
    } catch (error) {
      signal.throwIfAborted();
      throw this.explained(error, what);
    }
  }

  private async open(): Promise<{ sdk: Sdk; client: S3Client }> {
    const { endpoint, region, pathStyle } = this.options;
    // Which releases of Node its next versions need is nothing for our log.
    process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
    const sdk = await import('@aws-sdk/client-s3');
    // A server that is not AWS's own takes any region for its signatures; the SDK wants one.
    const known = region ?? (endpoint === undefined ? undefined : (process.env.AWS_REGION ?? 'us-east-1'));
    const client = new sdk.S3Client({
      ...(known !== undefined && { region: known }),
      ...(endpoint !== undefined && { endpoint }),
      forcePathStyle: pathStyle,
      followRegionRedirects: endpoint === undefined,
      maxAttempts: ATTEMPTS,
      // Our own SHA-256 signs what is sent and checks what comes; others' servers may not know newer sums.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      requestHandler: { connectionTimeout: CONNECT_MS, socketTimeout: IDLE_MS },
    });
    return { sdk, client };
  }
}

/** Signs the body by a sum that is known already: the SDK would compute it in one go, which holds up everything else. */
function signed<C extends { middlewareStack: { add: (...args: never[]) => void } }>(command: C, sha256: string): C {
  const add = command.middlewareStack.add.bind(command.middlewareStack) as unknown as (middleware: unknown, options: object) => void;
  const middleware = (next: (args: unknown) => unknown) => (args: { request: { headers: Record<string, string> } }) => {
    args.request.headers['x-amz-content-sha256'] = sha256;
    return next(args);
  };
  add(middleware, { step: 'build', name: 'kstreamdPayloadSum' });
  return command;
}
