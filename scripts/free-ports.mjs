import { createServer } from 'node:net';

/**
 * Free ports below the range that the system takes outgoing connections' ports from: there a client that tries to reach a stopped server
 * may be given the server's own port, and connect to itself; and whoever takes any free port may have been given it before the server starts.
 */
export async function freePorts(count) {
  const ports = new Set();
  while (ports.size < count) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

function isFree(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
