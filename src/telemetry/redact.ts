/** What stands in the place of a secret. */
export const REDACTED = '[redacted]';

const SECRET_KEY = /pass(word|phrase|wd)?$|secret|token|credential|authorization|cookie|api[-_]?key|private[-_]?key/i;
const SASL_KEY = /^sasl\./;
const SASL_PUBLIC = /^sasl\.(mechanisms?|username)$/;
const SSL_KEY = /^ssl\.(key|keystore)\b/;
const TLS_SECTION = /^(tls|ssl)$/;
const URL_USERINFO = /\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@]+@/gi;
const PEM_KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)/g;

const MAX_DEPTH = 8;
const MAX_ITEMS = 100;

/** Text without what tells secrets by its form: credentials in URLs and private keys in PEM. */
export function redactText(text: string): string {
  return text.replace(URL_USERINFO, `$1${REDACTED}@`).replace(PEM_KEY, REDACTED);
}

/**
 * A copy that is safe to print as JSON: secrets are told by the names of their fields at any depth (passwords,
 * tokens, `sasl.*` beside mechanism and username, keys under `tls` and `ssl.key…`) and by the form of text;
 * errors become plain objects, bytes their length, and what is very deep or long is cut.
 */
export function redact(fields: object): Record<string, unknown> {
  return redactObject(fields, false, 0);
}

function redactObject(object: object, inTls: boolean, depth: number): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(object)) {
    copy[key] = isSecret(key, inTls) && value !== undefined && value !== null ? REDACTED : redactValue(value, TLS_SECTION.test(key), depth + 1);
  }
  return copy;
}

function isSecret(key: string, inTls: boolean): boolean {
  return SECRET_KEY.test(key) || SSL_KEY.test(key) || (SASL_KEY.test(key) && !SASL_PUBLIC.test(key)) || (inTls && key === 'key');
}

function redactValue(value: unknown, inTls: boolean, depth: number): unknown {
  if (typeof value === 'string') return redactText(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (depth > MAX_DEPTH) return '…';
  if (value instanceof Error) return redactError(value, depth);
  if (ArrayBuffer.isView(value)) return `<${value.byteLength} bytes>`;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
  if (value instanceof Map) return redactObject(Object.fromEntries(value), inTls, depth);
  if (Array.isArray(value) || value instanceof Set) return redactList([...value], depth);
  return redactObject(value, inTls, depth);
}

function redactList(list: readonly unknown[], depth: number): unknown[] {
  const copy = list.slice(0, MAX_ITEMS).map((item) => redactValue(item, false, depth + 1));
  if (list.length > MAX_ITEMS) copy.push(`… ${list.length - MAX_ITEMS} more`);
  return copy;
}

function redactError(error: Error, depth: number): Record<string, unknown> {
  const { name, message, stack, cause, ...rest } = error;
  return {
    type: name,
    message: redactText(message),
    ...redactObject(rest, false, depth),
    ...(cause !== undefined && { cause: redactValue(cause, false, depth + 1) }),
    ...(stack !== undefined && { stack: redactText(stack) }),
  };
}
