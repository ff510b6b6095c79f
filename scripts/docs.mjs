// `npm run docs`: builds, then writes the pages of docs/ that come from the source.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildIfStale } from './build.mjs';
import { main } from './command.mjs';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

async function writeDocs() {
  await buildIfStale();
  const { referencePages } = await import('../dist/daemon/reference/pages.js');
  for (const [file, render] of Object.entries(referencePages)) {
    writeFileSync(path.join(root, 'docs', file), render());
    console.log(`docs/${file}`);
  }
}

main(writeDocs);
