import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { defineProcessor } from 'kstreamd';
import { z } from 'zod';

/** Ends a pipeline that has no output: adds up what arrives and, when it is closed, writes it to `folder`, one file a task. */
export const Sum = defineProcessor({
  summary: 'Adds up the field n of all values.',
  options: z.object({ folder: z.string() }),
  create: ({ folder }) => {
    const seen = { records: 0, sum: 0 };
    let taskId;
    return {
      init(context) {
        taskId = context.taskId;
      },
      processBatch({ records }) {
        seen.records += records.length;
        for (const { value } of records) seen.sum += value.n;
      },
      close: () => writeFileSync(path.join(folder, `sum-${taskId}.json`), JSON.stringify(seen)),
    };
  },
});

/** One write to the store a record. */
export const Put = defineProcessor({
  summary: 'Puts every value under its key.',
  options: z.any(),
  store: { value: 'bytes' },
  create: () => {
    let store;
    return {
      init(context) {
        store = context.store();
      },
      processBatch: ({ records }) => store.setBatch(records.map(({ key, offset }) => [key, Buffer.from(String(offset))])),
    };
  },
});
