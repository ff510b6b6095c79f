import { createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/** Of a snapshot's files the first alone is handed out: a fetch comes to its middle and stays there. Resolves to the endpoint, as `gate`. */
export function oneFileOnly(endpoint: string): Promise<string> {
  return gate(endpoint, ({ method, url }) => method === 'GET' && url?.includes('/files/') === true);
}

/** Of a file that is sent in parts the first alone is taken: its upload comes to its middle and stays there. Resolves to the endpoint, as `gate`. */
export function onePartOnly(endpoint: string): Promise<string> {
  return gate(endpoint, ({ method, url }) => method === 'PUT' && url?.includes('partNumber=') === true);
}

/**
 * Stands before an S3 server until the test ends, and answers as that does, but of the requests that are `counted` it lets the first alone pass and keeps
 * who sends another waiting. Resolves to its endpoint.
 */
async function gate(endpoint: string, counted: (asked: IncomingMessage) => boolean): Promise<string> {
  let passedSoFar = 0;
  const server = createServer((asked, answer) => {
    if (counted(asked) && passedSoFar++ > 0) return;
    // The signature covers the name that was asked for: headers pass as they are.
    const passed = request(endpoint, { method: asked.method, path: asked.url, headers: asked.headers }, (told) => {
      answer.writeHead(told.statusCode ?? 502, told.headers);
      told.pipe(answer);
    });
    passed.on('error', () => answer.destroy());
    asked.pipe(passed);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
