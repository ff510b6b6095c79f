import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const results = path.join(root, 'bench', 'results');

export function machine() {
  const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  const memory = Math.round(os.totalmem() / 2 ** 30);
  return { kstreamd: version, cpu: os.cpus()[0].model.trim(), cores: os.cpus().length, memory: `${memory} GiB`, kernel: os.release(), node: process.version };
}

/** Appends to bench/results/DATE-WORKLOAD.json. */
export function save(workload, result) {
  mkdirSync(results, { recursive: true });
  const time = new Date().toISOString();
  const file = path.join(results, `${time.slice(0, 10)}-${workload}.json`);
  const earlier = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : [];
  const load = os.loadavg().map((average) => Number(average.toFixed(1)));
  writeFileSync(file, `${JSON.stringify([...earlier, { time, machine: machine(), load, ...result }], undefined, 2)}\n`);
}

/** To standard output, where only tables go. @param {readonly string[]} head @param {readonly (readonly string[])[]} rows */
export function table(title, head, rows) {
  const widths = head.map((name, column) => Math.max(name.length, ...rows.map((row) => row[column].length)));
  const line = (cells) =>
    cells
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column])))
      .join('  ')
      .trimEnd();
  process.stdout.write(`\n${title}\n\n${[head, widths.map((width) => '-'.repeat(width)), ...rows].map(line).join('\n')}\n`);
}

export function progress(text) {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)}  ${text}\n`);
}

export const thousands = (number) => Math.round(number).toLocaleString('en-US');
export const megabytes = (bytes) => `${Math.round(bytes / 1e6)} MB`;

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** `1.23 ≤ 1.25 ok` */
export function verdict(value, comparison, target, format = (number) => number.toFixed(2)) {
  const kept = comparison === '≤' ? value <= target : value >= target;
  return `${format(value)} ${comparison} ${format(target)} ${kept ? 'ok' : 'MISSED'}`;
}
