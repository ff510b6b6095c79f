// Writes to the database in argv[2] as fast as it can until it is killed; prints a dot after each batch.
import { ClassicLevel } from 'classic-level';

const db = new ClassicLevel(process.argv[2], { keyEncoding: 'utf8', valueEncoding: 'buffer', writeBufferSize: 64 * 1024 });
await db.open();
for (let batch = 0; ; batch++) {
  const value = Buffer.alloc(100 + ((batch * 37) % 3000), batch);
  await db.batch(Array.from({ length: 50 }, (_, i) => ({ type: 'put', key: `${(batch * 50 + i) % 5000}`, value })));
  process.stdout.write('.');
}
