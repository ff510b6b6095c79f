import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/**
 * @typedef {object} Defect
 * @property {readonly { file: string, from: string, to: string }[]} edits of compiled files under dist; `from` stands there exactly once
 * @property {readonly string[]} faults that bring it to light
 * @property {RegExp} caughtBy what the suite then says: a run that fails for another reason has caught nothing
 */

/** A number of a key, or a store, a changelog and the input, that do not agree any more. */
const WRONG_COUNT = /key \d+ counts|differs from|falls behind|a store says that it holds it up to/;

/** Deliberate defects. They exist in copies of the build alone, so that the source has no switch that could be left on. */
export const DEFECTS = {
  'commit-before-produce': {
    edits: [
      {
        file: 'runtime/commit.js',
        from: 'for (const task of changed)\n                await readOnFor(task.writeChangelogs());',
        to: '',
      },
      {
        file: 'runtime/commit.js',
        from: 'await this.makeDurable(changed, offsets, attempt);',
        to: 'await this.makeDurable(changed, offsets, attempt); for (const task of changed) await this.options.readOnFor(task.writeChangelogs());',
      },
    ],
    faults: ['lost-state', 'kill'],
    caughtBy: WRONG_COUNT,
  },
  'store-before-commit': {
    edits: [
      {
        file: 'runtime/commit.js',
        from: 'if (sink.transaction)\n                await this.acknowledged(sink.transaction.commit(offsets, member));',
        to: `for (const task of changed) task.committed();
            await this.flushDue(changed, changed, true, attempt);
            if (sink.transaction)
                await this.acknowledged(sink.transaction.commit(offsets, member));`,
      },
    ],
    faults: ['frozen-instance', 'swapped-state', 'kill'],
    caughtBy: WRONG_COUNT,
  },
  'no-rewind-after-abort': {
    edits: [{ file: 'runtime/undoing.js', from: 'await reader.seek(tasks.positions);', to: '' }],
    faults: ['kill', 'rolling', 'broker-restart'],
    caughtBy: WRONG_COUNT,
  },
  'restore-to-wrong-end': {
    edits: [
      {
        file: 'runtime/restore/changelog-copy.js',
        from: 'return { ...end, offset, logEnd: end.offset, asked };',
        to: 'return { ...end, offset: Math.max(0, offset - 100), logEnd: end.offset, asked };',
      },
    ],
    faults: ['lost-state', 'rolling', 'kill'],
    caughtBy: WRONG_COUNT,
  },
  'checksums-not-verified': {
    edits: [{ file: 'stores/open-verified.js', from: 'async check() {', to: 'async check() {\n        return [];' }],
    faults: ['flip-table', 'flip-log'],
    caughtBy: /nothing was set aside|key \d+ counts|differs from/,
  },
};

/** Rewrites compiled files; every text must be there exactly once, so that a defect cannot be left out unseen. */
export function putDefect(dist, { edits }) {
  for (const { file, from, to } of edits) {
    const whole = path.join(dist, file);
    const text = readFileSync(whole, 'utf8');
    const found = text.split(from).length - 1;
    if (found !== 1) throw new Error(`dist/${file} has ${found} places that read: ${from}`);
    writeFileSync(
      whole,
      text.replace(from, () => to),
    );
  }
}
