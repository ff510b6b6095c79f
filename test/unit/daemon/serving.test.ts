import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ConfigError } from '../../../src/core/errors.js';
import { resolveDaemonOptions } from '../../../src/daemon/options.js';
import { advertisedUrl, type Serving, servingOf } from '../../../src/daemon/serving.js';
import type { ServeSettings } from '../../../src/pipeline/serve-settings.js';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kstreamd-serving-'));
  writeFileSync(join(folder, 'token'), 'word\n');
  writeFileSync(join(folder, 'spaced'), 'two words\n');
  writeFileSync(join(folder, 'empty'), '');
});

afterAll(() => rmSync(folder, { recursive: true }));

const options = (flags: Readonly<Record<string, string>> = {}) => resolveDaemonOptions({ flags, env: {} });

function pipeline(name: string, serve: Partial<ServeSettings>): { name: string; serve: ServeSettings } {
  const nothing = { http: undefined, advertised: undefined, token: undefined, cert: undefined, key: undefined, ca: undefined };
  return { name, serve: { ...nothing, ...serve, position: { file: 'p.yaml', line: 1, column: 1 } } };
}

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof ConfigError) return `${error.code}: ${error.message}`;
    throw error;
  }
  throw new Error('was accepted');
}

describe('the HTTP server of a process', () => {
  test('listens where the options say, else where a file says, else on loopback', () => {
    const files = [pipeline('a', { http: '0.0.0.0:9000' }), pipeline('b', {})];
    expect(servingOf(options(), []).address).toEqual({ host: '127.0.0.1', port: 8080 });
    expect(servingOf(options(), files).address).toEqual({ host: '0.0.0.0', port: 9000 });
    expect(servingOf(options({ http: '127.0.0.1:8080' }), files).address).toEqual({ host: '127.0.0.1', port: 8080 });
    expect(servingOf(options({ http: 'off' }), files).address).toBeUndefined();
  });

  test('takes the token of its option, else that of the files, which must agree', () => {
    const files = [pipeline('a', { token: 'x' }), pipeline('b', { token: 'x' })];
    expect(servingOf(options(), files).token).toBe('x');
    expect(servingOf(options({ httpTokenFile: join(folder, 'token') }), files).token).toBe('word');
    expect(refusal(() => servingOf(options(), [...files, pipeline('c', { token: 'y' })]))).toMatch(
      /^serve\/conflict: "a" and "c" run in one process.*"token"$/,
    );
    expect(refusal(() => servingOf(options(), [pipeline('a', { http: 'h:1' }), pipeline('b', { http: 'h:2' })]))).toContain('serve/conflict');
  });

  test('refuses a token that is none, files that are not there, and half of a certificate', () => {
    for (const file of ['spaced', 'empty']) expect(refusal(() => servingOf(options({ httpTokenFile: join(folder, file) }), []))).toContain('serve/token');
    expect(refusal(() => servingOf(options({ httpTokenFile: join(folder, 'none') }), []))).toContain('file/not-found: the file of --http-token-file');
    expect(refusal(() => servingOf(options({ httpCertFile: join(folder, 'token') }), []))).toContain('http/tls');
  });

  test('is reached by others where it listens, at the first address of the machine, or where it is told', () => {
    const serving: Serving = { address: undefined, advertised: undefined, token: undefined, tls: undefined, ca: undefined };
    expect(advertisedUrl(serving, { host: '127.0.0.1', port: 80 })).toBe('http://127.0.0.1:80');
    expect(advertisedUrl(serving, { host: '0.0.0.0', port: 80 })).not.toContain('0.0.0.0');
    expect(advertisedUrl({ ...serving, advertised: { host: 'one.example', port: 81 } }, { host: '0.0.0.0', port: 80 })).toBe('http://one.example:81');
    expect(advertisedUrl({ ...serving, tls: { cert: '', key: '' } }, { host: '::1', port: 80 })).toBe('https://[::1]:80');
  });
});
