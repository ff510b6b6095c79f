import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { addDaemonFlags, daemonOptionsOf } from '../../../src/cli/daemon-flags.js';
import { describeFailure, exitCodeOf } from '../../../src/cli/failure.js';
import { BrokerError, ConfigError, FatalError } from '../../../src/core/errors.js';
import { daemonOptionNames, daemonOptionsSchema, flagOf, variableOf } from '../../../src/daemon/options.js';
import { runCaptured } from './run-captured.js';

const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));

describe('exit codes', () => {
  test('are 2 for configuration, 3 for the broker, 1 for the rest', () => {
    expect(exitCodeOf(new ConfigError('a/b', 'x'))).toBe(2);
    expect(exitCodeOf(new BrokerError('a/b', 'x'))).toBe(3);
    expect(exitCodeOf(new FatalError('a/b', 'x'))).toBe(1);
    expect(exitCodeOf(new TypeError('x'))).toBe(1);
  });

  test.each([
    [['vresion'], /^error cli\/usage: unknown command 'vresion'\n\(Did you mean version\?\)\n {2}fix: kstreamd --help\n$/],
    [['version', '--jsno'], /^error cli\/usage: unknown option '--jsno'\n/],
    [['healthcheck', '--http'], /^error cli\/usage: option '--http <HOST:PORT>' argument missing\n/],
    [['version', 'extra'], /^error cli\/usage: too many arguments/],
  ])('usage errors end with 2: %j', async (args, message) => {
    const { code, stdout, stderr } = await runCaptured(args);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
    expect(stdout).toBe('');
  });

  test('help and version end with 0, on standard output', async () => {
    for (const args of [['--help'], ['help', 'check'], ['check', '--help'], ['--version']]) {
      const { code, stdout, stderr } = await runCaptured(args);
      expect(code).toBe(0);
      expect(stdout).not.toBe('');
      expect(stderr).toBe('');
    }
  });
});

describe('errors', () => {
  const error = new ConfigError('http/listen', 'cannot reach https://me:s3cret@host', { fix: 'do this' });

  test('are one message with code and fix, without a stack or secrets', () => {
    expect(describeFailure(error, false)).toBe('error http/listen: cannot reach https://[redacted]@host\n  fix: do this\n');
  });

  test('have a stack with debug, and when they are defects', () => {
    expect(describeFailure(error, true)).toMatch(/\n\s+at /);
    expect(describeFailure(new TypeError('odd'), false)).toMatch(/^error internal\/defect: TypeError: odd\n\s+at /);
  });
});

describe('version', () => {
  test('names kstreamd, node and the native parts', async () => {
    const { code, stdout } = await runCaptured(['version', '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      kstreamd: version,
      node: process.versions.node,
      librdkafka: expect.stringMatching(/^\d+\.\d+\.\d+/),
      'kafka-javascript': expect.stringMatching(/^\d+\.\d+\.\d+$/),
      'classic-level': expect.stringMatching(/^\d+\.\d+\.\d+$/),
    });
  });

  test('--version is the one number', async () => {
    expect((await runCaptured(['--version'])).stdout).toBe(`${version}\n`);
  });
});

describe('daemon flags', () => {
  test('are there for every option, with its description, variable and default in help', () => {
    const help = addDaemonFlags(new Command('run')).configureHelp({ helpWidth: 400 }).helpInformation();
    for (const name of daemonOptionNames) {
      const { description, value } = daemonOptionsSchema.shape[name].meta() ?? {};
      expect(help).toMatch(new RegExp(`^  ${flagOf(name)} <${value}> `, 'm'));
      expect(help).toContain(`${description} (${variableOf(name)}`);
    }
    expect(help).toContain('(KSTREAMD_HTTP, default 127.0.0.1:8080)');
    expect(help).toContain('--config <FILE>');
  });

  test('give the options of a command', async () => {
    const command = addDaemonFlags(new Command('run'));
    await command.parseAsync(['--log-level', 'warn'], { from: 'user' });
    const output = { write: () => true };
    const options = daemonOptionsOf(command, { env: { KSTREAMD_HTTP: 'off' }, stdout: output, stderr: output });
    expect(options).toMatchObject({ logLevel: 'warn', http: undefined });
  });
});
