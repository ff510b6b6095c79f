import { afterAll } from 'vitest';
import { missingForS3 } from '../../scripts/s3-install.mjs';
import { S3Server } from '../../scripts/s3-server.mjs';

/** A real S3 server for all tests of a file, stopped after them; to be awaited where the file begins. Undefined, with a printed reason, where none can be run. */
export async function s3OfFile(what: string): Promise<S3Server | undefined> {
  const missing = await missingForS3();
  if (missing !== undefined) {
    console.log(`tests of ${what} are skipped: ${missing}`);
    return undefined;
  }
  const server = await S3Server.start();
  afterAll(() => server.remove());
  return server;
}
