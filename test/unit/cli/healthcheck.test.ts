import { createServer } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { startHttp } from '../../../src/telemetry/http.js';
import { frontHere } from '../../../src/telemetry/http-opening.js';
import { runCaptured } from './run-captured.js';

const open: { close(): unknown }[] = [];

afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

async function daemon(ready: boolean, host = '127.0.0.1'): Promise<number> {
  const metrics = { expose: async () => '', contentType: 'text/plain' };
  const server = await startHttp(
    {
      address: { host, port: 0 },
      readiness: () => ({ ready, reasons: ready ? [] : ['no tasks'] }),
      status: async () => ({}),
      metrics,
    },
    frontHere,
  );
  open.push(server);
  return server.address.port;
}

describe('healthcheck', () => {
  test('ends with 0 and no output while the daemon lives, ready or not', async () => {
    const port = await daemon(false);
    expect(await runCaptured(['healthcheck'], { KSTREAMD_HTTP: `127.0.0.1:${port}` })).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  test('with --ready ends with 1 and the reasons while it is not ready', async () => {
    const port = await daemon(false);
    const { code, stderr } = await runCaptured(['healthcheck', '--ready', '--http', `127.0.0.1:${port}`]);
    expect(code).toBe(1);
    expect(stderr).toBe(`error healthcheck/unhealthy: http://127.0.0.1:${port}/ready answered 503: {"ready":false,"reasons":["no tasks"]}\n`);
  });

  test('asks on loopback when the daemon listens everywhere', async () => {
    const port = await daemon(true, '0.0.0.0');
    expect((await runCaptured(['healthcheck', '--http', `0.0.0.0:${port}`])).code).toBe(0);
  });

  test('ends with 1 when nothing listens', async () => {
    const port = await daemon(true);
    for (const one of open.splice(0)) await one.close();
    const { code, stderr } = await runCaptured(['healthcheck', '--http', `127.0.0.1:${port}`]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error healthcheck\/no-answer: .*ECONNREFUSED/);
  });

  test('ends with 1 when the daemon hangs', async () => {
    const hanging = createServer(() => {});
    await new Promise<void>((resolve) => hanging.listen(0, '127.0.0.1', resolve));
    open.push(hanging);
    const address = hanging.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const { code, stderr } = await runCaptured(['healthcheck', '--timeout', '50ms', '--http', `127.0.0.1:${port}`]);
    expect(code).toBe(1);
    expect(stderr).toContain('no answer within 50 ms');
  });

  test.each([
    [['--http', 'off'], 'healthcheck/http-off'],
    [['--http', '127.0.0.1:0'], 'healthcheck/port-unknown'],
    [['--timeout', '3'], 'option/invalid'],
    [['--config', '/nowhere.yaml'], 'config-file/unreadable'],
  ])('with %j ends with 2', async (args, errorCode) => {
    const { code, stderr } = await runCaptured(['healthcheck', ...args]);
    expect(code).toBe(2);
    expect(stderr).toMatch(new RegExp(`^error ${errorCode}: .*\n  fix: `));
  });
});
