import { randomUUID } from 'node:crypto';
import { loadAddon } from '../../dist/kafka/native/addon.js';

const READ = 1000;
const FIELDS = 10;
const KEY_BYTES = 16;

/** Records in the addon's memory: what design/packed-path.md's prototype does, with one produce under way beside each read. */
export function packedPath() {
  const { addon, file, reason } = loadAddon();
  if (reason !== undefined) throw new Error(`no packed path: ${reason}`);
  const tokens = { consumer: randomUUID(), producer: randomUUID() };
  let reader;
  let writer;
  let topics;
  let produced = Promise.resolve();
  let turn = 0;
  /** Two sets, so that one is filled while the other is produced. */
  const outputs = [0, 1].map(() => ({ fields: new Int32Array(READ * FIELDS), timestamps: new Float64Array(READ), arena: Buffer.allocUnsafeSlow(READ * 8) }));

  async function each(seen, work) {
    const memory = await addon.read(reader, READ, 100);
    if (memory === undefined) return;
    const [records, parts, events] = new Int32Array(memory, 0, 3);
    const offsets = new Float64Array(memory, 32, records);
    const times = new Float64Array(memory, 32 + 8 * records, records);
    const words = new Int32Array(memory, 32 + 16 * records + 8 * events, 4 * records + 6 * parts);
    const bytes = Buffer.from(memory);
    const { fields, timestamps, arena } = outputs[turn];
    let count = 0;
    for (let i = 0; i < records; i++) {
      const keyAt = words[i];
      const keyLength = words[records + i];
      const valueLength = words[2 * records + i];
      const valueAt = keyAt + (keyLength < 0 ? 0 : keyLength);
      const at = count * FIELDS;
      if (!work(bytes, keyAt, keyLength, valueAt, valueLength, fields, at, arena, count)) continue;
      fields[at] = 0;
      fields[at + 1] = -1;
      fields[at + 2] = 1;
      fields[at + 3] = keyAt;
      fields[at + 4] = keyLength;
      fields[at + 8] = 1;
      fields[at + 9] = words[3 * records + i];
      timestamps[count++] = times[i];
    }
    for (let part = 0; part < parts; part++) {
      const at = 4 * records + 6 * part;
      seen(words[at + 2], offsets[words[at + 3] + words[at + 4] - 1] + 1);
    }
    await produced;
    if (count > 0) produced = addon.produce(writer, topics, count, fields, timestamps, [arena, bytes]).then(check);
    turn = 1 - turn;
  }

  return {
    config: (kind) => ({ 'plugin.library.paths': file, 'kstreamd.token': tokens[kind] }),
    attach(_consumer, _producer, output) {
      reader = addon.attach(tokens.consumer);
      writer = addon.attach(tokens.producer);
      topics = [output];
    },
    echo: (seen) => each(seen, forward),
    filter: (seen) =>
      each(seen, (bytes, keyAt, keyLength, valueAt, valueLength, fields, at) => {
        if (JSON.parse(bytes.utf8Slice(valueAt, valueAt + valueLength)).n % 2 !== 0) return false;
        return forward(bytes, keyAt, keyLength, valueAt, valueLength, fields, at);
      }),
    count: (seen, counts) =>
      each(seen, (bytes, keyAt, keyLength, _valueAt, _valueLength, fields, at, arena, index) => {
        arena.writeUInt32BE(0, 8 * index);
        arena.writeUInt32BE(counts.add(bytes.latin1Slice(keyAt, keyAt + keyLength)), 8 * index + 4);
        fields[at + 5] = 0;
        fields[at + 6] = 8 * index;
        fields[at + 7] = 8;
        return true;
      }),
    /** One record a changed key; a key stays in the partition of its input, which has as many and the same partitioner. */
    async log(changelog, { changed, counts }) {
      await produced;
      const fields = new Int32Array(changed.size * FIELDS);
      const timestamps = new Float64Array(changed.size).fill(Date.now());
      const bytes = Buffer.allocUnsafeSlow(changed.size * (KEY_BYTES + 8));
      let count = 0;
      for (const key of changed) {
        const at = count * (KEY_BYTES + 8);
        bytes.latin1Write(key, at, KEY_BYTES);
        bytes.writeUInt32BE(0, at + KEY_BYTES);
        bytes.writeUInt32BE(counts.get(key), at + KEY_BYTES + 4);
        fields.set([0, -1, 0, at, KEY_BYTES, 0, at + KEY_BYTES, 8, 0, -1], count++ * FIELDS);
      }
      if (count > 0) produced = addon.produce(writer, [changelog], count, fields, timestamps, [bytes]).then(check);
    },
    settled: () => produced,
    async detach() {
      await addon.detach(reader);
      await addon.detach(writer);
    },
  };
}

function forward(_bytes, _keyAt, _keyLength, valueAt, valueLength, fields, at) {
  fields[at + 5] = 1;
  fields[at + 6] = valueAt;
  fields[at + 7] = valueLength;
  return true;
}

function check(failures) {
  if (failures !== undefined) throw new Error(`the producer refused ${failures.length / 2} records: error ${failures[1]}`);
}
