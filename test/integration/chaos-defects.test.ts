import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, test } from 'vitest';

interface Defect {
  readonly edits: readonly { readonly file: string; readonly from: string; readonly to: string }[];
}

const { DEFECTS, putDefect } = (await import('../chaos/defects.mjs' as string)) as {
  DEFECTS: Readonly<Record<string, Defect>>;
  putDefect: (dist: string, defect: Defect) => void;
};
const copies = mkdtempSync(path.join(tmpdir(), 'kstreamd-test-'));
afterAll(() => rmSync(copies, { recursive: true }));

test.each(Object.entries(DEFECTS))('the chaos suite can put its defect %s into this build', (name, defect) => {
  const dist = path.join(copies, name);
  for (const { file } of defect.edits) cpSync(path.join('dist', file), path.join(dist, file));
  putDefect(dist, defect);
});
