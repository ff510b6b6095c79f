import { createServer } from 'node:net';

const LOWEST = 20_000;
/** One for each test process that runs beside others: what one has chosen and has yet to listen on, or will again, another does not choose. */
const SLICES = 8;
const SLICE = 12_000 / SLICES;
const slice = Number(process.env.VITEST_POOL_ID ?? 0) % SLICES;
const given = new Set();

/**
 * Free ports below the range that the system takes outgoing connections' ports from: there a client that tries to reach a stopped server
 * may be given the server's own port, and connect to itself; and whoever takes any free port may have been given it before the server starts.
 * None is given twice.
 */
export async function freePorts(count) {
  const ports = [];
  while (ports.length < count) {
    const port = LOWEST + slice * SLICE + Math.floor(Math.random() * SLICE);
    if (given.has(port) || !(await isFree(port)) || given.has(port)) continue;
    given.add(port);
    ports.push(port);
  }
  return ports;
}

function isFree(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
