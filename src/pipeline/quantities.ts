const MILLISECONDS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

const BYTES: Readonly<Record<string, number>> = { B: 1, kB: 1e3, KB: 1e3, MB: 1e6, GB: 1e9, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };

/** Milliseconds of `500ms 30s 5m 2h 7d`; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  return parseQuantity(text, MILLISECONDS);
}

/** Bytes of `1MB` (10^6) or `1MiB` (2^20); undefined for anything else. */
export function parseSize(text: string): number | undefined {
  return parseQuantity(text, BYTES);
}

function parseQuantity(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const match = /^(\d+)([a-zA-Z]+)$/.exec(text);
  const unit = units[match?.[2] ?? ''];
  if (!match || unit === undefined) return undefined;
  const quantity = Number(match[1]) * unit;
  return Number.isSafeInteger(quantity) ? quantity : undefined;
}

/** Epoch milliseconds of ISO 8601 with a zone; undefined for anything else. */
export function parseInstant(text: string): number | undefined {
  if (!/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})$/.test(text) || !isDay(text)) return undefined;
  const instant = Date.parse(text);
  return Number.isNaN(instant) ? undefined : instant;
}

/** As a file would say it; milliseconds where they are beyond all dates. */
export function formatInstant(time: number): string {
  return Math.abs(time) <= 8.64e15 ? new Date(time).toISOString().replace('.000Z', 'Z') : String(time);
}

/** Whether a time that begins with year, month and day has a day of the calendar: Date.parse takes the 30th of February for a day of March. */
export function isDay(text: string): boolean {
  const [, year, month, day] = /^([+-]?\d+)-(\d\d)-(\d\d)/.exec(text)?.map(Number) ?? [];
  if (year === undefined || month === undefined || day === undefined) return false;
  return day <= 28 || day <= new Date(Date.UTC(year, month, 0)).getUTCDate();
}
