import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/**
 * Stands before an S3 server until the test ends, and answers as that does, but of a snapshot's files it hands out the first alone and keeps who asks for
 * another waiting: a fetch comes to its middle and stays there. Resolves to its endpoint.
 */
export async function oneFileOnly(endpoint: string): Promise<string> {
  let files = 0;
  const gate = createServer((asked, answer) => {
    if (asked.method === 'GET' && asked.url?.includes('/files/') && files++ > 0) return;
    // The signature covers the name that was asked for: headers pass as they are.
    const passed = request(endpoint, { method: asked.method, path: asked.url, headers: asked.headers }, (told) => {
      answer.writeHead(told.statusCode ?? 502, told.headers);
      told.pipe(answer);
    });
    passed.on('error', () => answer.destroy());
    asked.pipe(passed);
  });
  await new Promise<void>((resolve) => gate.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    gate.closeAllConnections();
    gate.close();
  });
  return `http://127.0.0.1:${(gate.address() as AddressInfo).port}`;
}
