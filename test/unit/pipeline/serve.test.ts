import { describe, expect, test } from 'vitest';
import { check, load, sound } from './loading.js';

const file = (serve: string): string => `name: app\nkafka: h:9092\nserve: ${serve}\nfrom: a\nto: b\n`;

describe('serve', () => {
  test('is an address, or a map whose texts may come from files', async () => {
    expect((await sound(file('0.0.0.0:8080'))).serve).toMatchObject({ http: '0.0.0.0:8080', token: undefined });
    const map = file('{ http: "[::1]:80", advertised: one.example:81, tokenFile: ./token, certFile: ./own.crt, keyFile: ./own.key, caFile: ./ca.crt }');
    const files = {
      'p.yaml': map,
      [`${process.cwd()}/token`]: 'secret\n',
      [`${process.cwd()}/own.crt`]: 'C\n',
      [`${process.cwd()}/own.key`]: 'K',
      [`${process.cwd()}/ca.crt`]: 'A',
    };
    expect((await sound(files)).serve).toEqual({
      http: '[::1]:80',
      advertised: 'one.example:81',
      token: 'secret',
      cert: 'C',
      key: 'K',
      ca: 'A',
      position: { file: 'p.yaml', line: 3, column: 8 },
    });
    expect((await sound('name: app\nkafka: h:9092\nfrom: a\nto: b\n')).serve).toBeUndefined();
  });

  test.each([
    ['8080', '3:8: error schema/type: serve must be text'],
    ['http://h:80', '3:8: error serve/address: "serve" is HOST:PORT, without a scheme'],
    ['{ http: "h:70000" }', '3:16: error serve/address: "http" is HOST:PORT'],
    ['{ tokn: x }', '3:10: error schema/unknown-key: unknown key "tokn"; did you mean "token"?'],
    ['{ token: "two words" }', '3:10: error serve/token: the token must be one word'],
    ['{ cert: x }', '3:8: error schema/required: "key" is missing: HTTPS needs a certificate and its key'],
    ['{ token: x, tokenFile: y }', 'error file/both-forms'],
  ])('%s is refused', async (serve, message) => {
    expect((await check(file(serve))).join('\n')).toContain(message);
  });

  test('never shows a token', async () => {
    const { diagnostics } = await load(file('{ token: "very secret words" }'));
    expect(JSON.stringify(diagnostics)).not.toContain('very secret');
  });
});
