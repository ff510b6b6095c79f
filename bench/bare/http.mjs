/** An HTTP server that answers every request with a count, in the shape of the daemon's answers, and does nothing else. Tells its port by IPC. */
import { createServer } from 'node:http';

const server = createServer((request, response) => {
  const key = request.url.slice(request.url.lastIndexOf('/') + 1);
  const positions = [{ topic: 'queries-input', partition: 0, offset: 1_000_000 }];
  const body = `${JSON.stringify({ application: 'bare', store: 'main-count', key, value: key.length, partition: 0, positions, stale: false })}\n`;
  response.writeHead(200, { 'content-type': 'application/json; charset=utf-8', 'content-length': Buffer.byteLength(body), 'cache-control': 'no-store' });
  response.end(body);
});
server.listen(0, '127.0.0.1', () => process.send(server.address().port));
process.on('disconnect', () => process.exit());
