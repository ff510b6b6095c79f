import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ConfigError } from '../../../src/core/errors.js';
import { daemonOptionNames, flagOf, resolveDaemonOptions, variableOf } from '../../../src/daemon/options.js';

let directory = '';
let files = 0;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'kstreamd-options-'));
});

afterAll(() => {
  rmSync(directory, { recursive: true });
});

function configFile(text: string): string {
  const file = join(directory, `${files++}.yaml`);
  writeFileSync(file, text);
  return file;
}

function refusal(sources: { flags?: Record<string, string>; env?: Record<string, string> }): ConfigError {
  try {
    resolveDaemonOptions({ flags: {}, env: {}, ...sources });
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('was accepted');
}

test('without anything given the defaults hold', () => {
  expect(resolveDaemonOptions({ flags: {}, env: {} })).toEqual({
    stateDir: join(homedir(), '.local/state/kstreamd'),
    http: { host: '127.0.0.1', port: 8080 },
    instanceId: undefined,
    logLevel: 'info',
    logFormat: 'auto',
    shutdownTimeoutMs: 30_000,
  });
});

describe('precedence', () => {
  test('flags win over variables, variables over the file, the file over defaults', () => {
    const config = configFile('logLevel: error\nlogFormat: json\ninstanceId: from-file\nhttp: off\n');
    const options = resolveDaemonOptions({
      flags: { config, logLevel: 'debug' },
      env: { KSTREAMD_LOG_LEVEL: 'warn', KSTREAMD_LOG_FORMAT: 'pretty', KSTREAMD_STATE_DIR: '/s' },
    });
    expect(options).toEqual({
      stateDir: '/s',
      http: undefined,
      httpGiven: true,
      instanceId: 'from-file',
      logLevel: 'debug',
      logFormat: 'pretty',
      shutdownTimeoutMs: 30_000,
    });
  });

  test('KSTREAMD_CONFIG names the file unless --config does', () => {
    const a = configFile('instanceId: a');
    const b = configFile('instanceId: b');
    expect(resolveDaemonOptions({ flags: {}, env: { KSTREAMD_CONFIG: a } }).instanceId).toBe('a');
    expect(resolveDaemonOptions({ flags: { config: b }, env: { KSTREAMD_CONFIG: a } }).instanceId).toBe('b');
  });

  test('an empty variable counts as unset, and so does an empty key', () => {
    const config = configFile('logLevel:\n');
    expect(resolveDaemonOptions({ flags: { config }, env: { KSTREAMD_LOG_LEVEL: '', KSTREAMD_CONFIG: '' } }).logLevel).toBe('info');
  });

  test('every option has a flag and a variable of its own', () => {
    const http = ['--http', '--http-advertised', '--http-token-file', '--http-cert-file', '--http-key-file', '--http-ca-file'];
    const snapshots = ['--snapshots', '--snapshot-endpoint', '--snapshot-region', '--snapshot-path-style', '--snapshot-every', '--snapshot-keep'];
    const others = ['--instance-id', '--log-level', '--log-format', '--shutdown-timeout'];
    expect(daemonOptionNames.map(flagOf)).toEqual(['--state-dir', ...http, ...others, ...snapshots]);
    expect(daemonOptionNames.map(variableOf)).toContain('KSTREAMD_SHUTDOWN_TIMEOUT');
  });
});

describe('the state directory', () => {
  test('comes from XDG_STATE_HOME where nothing is given', () => {
    const env = { XDG_STATE_HOME: '/xdg' };
    expect(resolveDaemonOptions({ flags: {}, env }).stateDir).toBe('/xdg/kstreamd');
    expect(resolveDaemonOptions({ flags: { stateDir: '/mine' }, env }).stateDir).toBe('/mine');
  });

  test('starts at the home directory with ~/, at the config file in it, and at the working directory else', () => {
    expect(resolveDaemonOptions({ flags: { stateDir: '~/s' }, env: { HOME: '/home/me' } }).stateDir).toBe('/home/me/s');
    expect(resolveDaemonOptions({ flags: { stateDir: 's' }, env: {} }).stateDir).toBe(join(process.cwd(), 's'));
    expect(resolveDaemonOptions({ flags: { config: configFile('stateDir: ./s') }, env: {} }).stateDir).toBe(join(directory, 's'));
  });
});

describe('what is wrong is named with its place', () => {
  test('a flag', () => {
    const error = refusal({ flags: { http: '8080' } });
    expect(error).toMatchObject({ code: 'http/address', fix: expect.stringContaining('127.0.0.1:8080') });
    expect(error.message).toBe('--http: "8080" is not HOST:PORT with a port from 0 to 65535');
  });

  test('a variable', () => {
    const error = refusal({ env: { KSTREAMD_SHUTDOWN_TIMEOUT: '30' } });
    expect(error.code).toBe('option/invalid');
    expect(error.message).toBe('KSTREAMD_SHUTDOWN_TIMEOUT: "30" is not a duration; write one integer and one unit (ms s m h d), such as 30s');
  });

  test('a word that is not among those allowed, with a suggestion', () => {
    const error = refusal({ flags: { logLevel: 'debgu' } });
    expect(error.message).toBe('--log-level: logLevel cannot be "debgu"; did you mean "debug"?');
    expect(error.fix).toBe('give one of debug, info, warn, error, silent');
  });

  test('an instance id that could not be part of a path or a client id', () => {
    expect(refusal({ flags: { instanceId: 'a/b' } })).toMatchObject({ code: 'option/invalid', message: expect.stringContaining('A-Z a-z 0-9') });
  });

  test('a value of the file, with line and column', () => {
    const config = configFile('# a comment\nlogLevel: info\nhttp:   :80\n');
    expect(refusal({ flags: { config } }).message).toMatch(new RegExp(`^${config}:3:9: `));
  });

  test('a number where text belongs', () => {
    const config = configFile('instanceId: 7\n');
    expect(refusal({ flags: { config } })).toMatchObject({ message: `${config}:1:13: instanceId must be text`, fix: 'write instanceId: "7"' });
  });

  test('a map where text belongs', () => {
    const config = configFile('http: { port: 1 }\n');
    expect(refusal({ flags: { config } })).toMatchObject({ message: `${config}:1:7: http must be text`, fix: undefined });
  });

  test('an unknown key, with line, column and suggestion', () => {
    const config = configFile('logLevel: info\nshutdownTimout: 3s\n');
    const error = refusal({ flags: { config } });
    expect(error.code).toBe('option/unknown');
    expect(error.message).toBe(`${config}:2:1: unknown key "shutdownTimout"; did you mean "shutdownTimeout"?`);
  });

  test('a variable that looks misspelt, but not those that Kubernetes makes for a service', () => {
    expect(refusal({ env: { KSTREAMD_LOGLEVEL: 'debug' } }).message).toBe('unknown variable KSTREAMD_LOGLEVEL; did you mean "KSTREAMD_LOG_LEVEL"?');
    const kubernetes = {
      KSTREAMD_SERVICE_HOST: '10.0.0.1',
      KSTREAMD_SERVICE_PORT: '8080',
      KSTREAMD_SERVICE_PORT_HTTP: '8080',
      KSTREAMD_PORT: 'tcp://10.0.0.1:8080',
      KSTREAMD_PORT_8080_TCP: 'tcp://10.0.0.1:8080',
      KSTREAMD_PORT_8080_TCP_PROTO: 'tcp',
      KSTREAMD_PORT_8080_TCP_PORT: '8080',
      KSTREAMD_PORT_8080_TCP_ADDR: '10.0.0.1',
    };
    expect(() => resolveDaemonOptions({ flags: {}, env: kubernetes })).not.toThrow();
  });
});

describe('the config file', () => {
  test('that does not exist is one clear error', () => {
    expect(refusal({ flags: { config: join(directory, 'none.yaml') } })).toMatchObject({
      code: 'config-file/unreadable',
      message: expect.stringContaining('none.yaml'),
    });
  });

  test.each([
    ['', 'an empty one'],
    ['# only a comment\n', 'one with comments only'],
    ['x-note: anything\n', 'one with x- keys'],
  ])('%j is fine: %s', (text) => {
    expect(resolveDaemonOptions({ flags: { config: configFile(text) }, env: {} }).logLevel).toBe('info');
  });

  test.each([
    ['- a\n', /:1:1: a config file is a map of options$/],
    ['http: "x\n', /^\S+:\d+:\d+: /],
    ['logLevel: info\nlogLevel: warn\n', /:2:1: .*unique/],
    ['logLevel:\n\tinfo\n', /^\S+:2:1: /],
  ])('%j is refused', (text, message) => {
    const error = refusal({ flags: { config: configFile(text) } });
    expect(error.code).toBe('config-file/yaml');
    expect(error.message).toMatch(message);
  });
});
