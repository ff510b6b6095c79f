// `npm run vectors -- FILE…`: runs files in the format of ../shared/conformance/kafka-streams.yaml; without a file, that one. Kinds that cannot be
// run yet are counted as skipped, by name. Exit 1 when a vector fails or a file cannot be read.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const named = process.argv.slice(2).map((file) => path.resolve(process.env.INIT_CWD ?? process.cwd(), file));
const files = named.length > 0 ? named : [path.resolve(root, '../shared/conformance/kafka-streams.yaml')];
const missing = files.filter((file) => !existsSync(file));
if (missing.length > 0) {
  console.error(`no such file: ${missing.join(', ')}`);
  process.exit(1);
}
const { status } = spawnSync(process.execPath, [path.join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--project', 'vectors', '--reporter', 'default'], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, KSTREAMD_VECTORS: files.join('\n') },
});
process.exit(status ?? 1);
