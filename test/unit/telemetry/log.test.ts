import { describe, expect, test } from 'vitest';
import { ConfigError } from '../../../src/core/errors.js';
import type { Logger } from '../../../src/core/logger.js';
import { createLogger } from '../../../src/telemetry/log.js';
import type { LogFormat, LogLevel } from '../../../src/telemetry/log-levels.js';

function capture(options: { level?: LogLevel; format?: LogFormat } = {}): { logger: Logger; lines: string[]; last(): Record<string, unknown> } {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  const logger = createLogger({ level: options.level ?? 'debug', format: options.format ?? 'json', destination });
  return { logger, lines, last: () => JSON.parse(lines.at(-1) ?? '') };
}

describe('JSON lines', () => {
  test('hold level, time, fields and message', () => {
    const { logger, lines, last } = capture();
    logger.warn({ topic: 'orders', partition: 3 }, 'slow');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/\n$/);
    expect(last()).toEqual({ level: 'warn', time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/), topic: 'orders', partition: 3, msg: 'slow' });
  });

  test('carry the fields of child loggers', () => {
    const { logger, last } = capture();
    logger.child({ task: '0_1' }).child({ step: 'main-count' }).info({}, 'opened');
    expect(last()).toMatchObject({ task: '0_1', step: 'main-count', msg: 'opened' });
  });

  test('below the level are not written', () => {
    const { logger, lines } = capture({ level: 'warn' });
    logger.info({}, 'no');
    logger.child({}).debug({}, 'no');
    logger.error({}, 'yes');
    expect(lines).toHaveLength(1);
  });

  test('hold errors with code, fix and cause', () => {
    const { logger, last } = capture();
    logger.error({ error: new ConfigError('http/listen', 'cannot listen', { fix: 'do this', cause: new Error('below') }) }, 'failed');
    expect(last().error).toMatchObject({ type: 'ConfigError', code: 'http/listen', message: 'cannot listen', fix: 'do this', cause: { message: 'below' } });
  });

  test('survive what JSON cannot write', () => {
    const loop: Record<string, unknown> = { big: 2n ** 70n, bytes: Buffer.from('abc'), when: new Date(0), map: new Map([['a', 1]]) };
    loop.self = loop;
    const { logger, last } = capture();
    logger.info({ loop }, 'odd');
    expect(last().loop).toMatchObject({ big: String(2n ** 70n), bytes: '<3 bytes>', when: '1970-01-01T00:00:00.000Z', map: { a: 1 } });
  });
});

describe('secrets', () => {
  test.each([
    { password: 's3cret' },
    { kafka: { sasl: { mechanism: 'plain', password: 's3cret' } } },
    { client: { 'sasl.password': 's3cret', 'sasl.oauthbearer.client.secret': 's3cret', 'sasl.oauthbearer.config': 's3cret' } },
    { client: { 'ssl.key.pem': 's3cret', 'ssl.key.password': 's3cret', 'ssl.keystore.password': 's3cret' } },
    { tls: { key: 's3cret', keyPassword: 's3cret' } },
    { list: [{ accessToken: 's3cret' }], Authorization: 's3cret', apiKey: 's3cret', passwd: 's3cret' },
    { registry: 'https://user:s3cret@registry:8081/x' },
    { error: new Error('GET http://user:s3cret@host/ failed') },
    { pem: '-----BEGIN PRIVATE KEY-----\ns3cret\n-----END PRIVATE KEY-----' },
  ])('are not written: %j', (fields) => {
    for (const format of ['json', 'pretty'] as const) {
      const { logger, lines } = capture({ format });
      logger.info(fields, 'to https://user:s3cret@host');
      logger.child(fields).error({}, 'child');
      expect(lines).toHaveLength(2);
      expect(lines.join('')).not.toContain('s3cret');
      expect(lines.join('')).toContain('[redacted]');
    }
  });

  test('leave what is not secret', () => {
    const { logger, last } = capture();
    const fields = { key: 'k', 'sasl.username': 'me', 'sasl.mechanism': 'PLAIN', url: 'http://host:80/a@b', passes: 1 };
    logger.info(fields, 'at http://host/a');
    expect(last()).toMatchObject({ ...fields, msg: 'at http://host/a' });
  });
});

test('the pretty format is one readable line with the fields', () => {
  const { logger, lines } = capture({ format: 'pretty' });
  logger.info({ topic: 'orders' }, 'started');
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/^\[?\d\d:\d\d:\d\d\.\d{3}\]? INFO: started \{"topic":"orders"\}\n$/);
});
